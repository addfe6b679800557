#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/temp_dir_for_test.h"
#include "checkpoint/checkpoint_store.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"

namespace logflume {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::internal::CaptureStderr;
using testing::internal::CaptureStdout;
using testing::internal::GetCapturedStderr;
using testing::internal::GetCapturedStdout;

class CheckpointsCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(log_) << "one\ntwo\nthr";
    struct stat info {};
    ASSERT_EQ(::stat(log_.c_str(), &info), 0);
    CheckpointChanges changes;
    changes.files = {file(1, "app", log_), file(2, "old", dir_ / "b\nad.log"),
                     file(3, "app", dir_ / "missing.log")};
    changes.files[0].device = info.st_dev;
    changes.files[0].inode = info.st_ino;
    changes.files[1].gone = true;
    changes.cursors = {cursor(1, "bus", 4), cursor(1, "out", 8), cursor(2, "bus", 9), cursor(3, "bus", 9)};
    auto store = CheckpointStore::open(data_dir_);
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->commit(changes));
  }
  static FileRecord file(std::uint64_t id, std::string source, std::string path) {
    FileRecord record;
    record.id = id;
    record.source = std::move(source);
    record.path = std::move(path);
    return record;
  }
  static CursorRecord cursor(std::uint64_t file_id, std::string sink, std::uint64_t offset) {
    return {file_id, std::move(sink), offset, 0, 0};
  }
  // Runs `checkpoints ARGS --data-dir DIR`.
  int run(std::vector<std::string> args) {
    CLI::App app;
    Command chosen;
    add_checkpoints_command(app, chosen);
    args.insert(args.begin(), "checkpoints");
    args.insert(args.end(), {"--data-dir", data_dir_});
    std::reverse(args.begin(), args.end());  // as CLI11 wants them
    CaptureStdout();
    CaptureStderr();
    app.parse(args);
    const int code = chosen();
    std::fflush(stdout);
    out_ = GetCapturedStdout();
    err_ = GetCapturedStderr();
    return code;
  }
  std::map<std::string, CursorRecord> cursors() {
    std::map<std::string, CursorRecord> found;
    const auto content = CheckpointStore::read(data_dir_);
    EXPECT_TRUE(content);
    if (!content) return found;
    for (const CursorRecord& record : content->cursors) {
      found[std::to_string(record.file_id) + record.sink] = record;
    }
    return found;
  }

  TempDir dir_;
  std::string data_dir_ = dir_ / "data";
  std::string log_ = dir_ / "app.log";
  std::string out_, err_;
};

TEST_F(CheckpointsCommandTest, ListShowsOffsetLagAndState) {
  EXPECT_EQ(run({"list"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("SOURCE"));
  EXPECT_THAT(out_, testing::ContainsRegex("app +[^ ]*/app.log +bus +4 +7 B +behind\n"));
  EXPECT_THAT(out_, testing::ContainsRegex("app +[^ ]*/missing.log +bus +9 +- +missing\n"));
  EXPECT_THAT(out_, testing::ContainsRegex("old +[^ ]*/b\\\\nad.log +bus +9 +- +gone\n"));
  EXPECT_EQ(err_, "");

  EXPECT_EQ(run({"list", "--json"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("\"sink\":\"bus\",\"offset\":4,\"lag_bytes\":7,\"state\":\"behind\""));
  EXPECT_THAT(out_,
              HasSubstr("b\\nad.log\",\"sink\":\"bus\",\"offset\":9,\"lag_bytes\":null,\"state\":\"gone\""));
}

TEST_F(CheckpointsCommandTest, ShowFindsFilesByPattern) {
  EXPECT_EQ(run({"show", "app.*"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("app.log\n  source       app\n  file id      1\n"));
  EXPECT_THAT(out_, HasSubstr("sink bus     offset 4, behind (7 bytes to read)"));
  EXPECT_THAT(out_, Not(HasSubstr("missing.log")));
  EXPECT_EQ(run({"show", "nothing"}), kExitFailure);
  EXPECT_THAT(err_, HasSubstr("nothing"));
}

TEST_F(CheckpointsCommandTest, ResetMovesCursorsWithTheirSeam) {
  EXPECT_EQ(run({"reset", "--sink", "out", "--file", log_, "--to-offset", "4"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("sink out: 8 -> 4\n"));
  EXPECT_EQ(cursors()["1out"].offset, 4u);
  EXPECT_EQ(cursors()["1out"].seam_bytes, 4u);
  EXPECT_EQ(cursors()["1out"].seam_hash, XXH3_64bits("one\n", 4));
  EXPECT_EQ(cursors()["1bus"].offset, 4u);

  EXPECT_EQ(run({"reset", "--file", "app.log", "--to-end"}), kExitOk);
  EXPECT_EQ(cursors()["1bus"].offset, 8u);  // not into the incomplete line
  EXPECT_EQ(cursors()["1bus"].seam_hash, XXH3_64bits("one\ntwo\n", 8));

  EXPECT_EQ(run({"reset", "--source", "app"}), kExitOk);
  EXPECT_EQ(cursors()["1bus"].offset, 0u);
  EXPECT_EQ(cursors()["1out"].seam_bytes, 0u);
  EXPECT_EQ(cursors()["3bus"].offset, 0u);
  EXPECT_EQ(cursors()["2bus"].offset, 9u);
}

TEST_F(CheckpointsCommandTest, ResetSaysWhatItCannotDo) {
  EXPECT_EQ(run({"reset", "--file", "app.log", "--to-offset", "12"}), kExitFailure);
  EXPECT_THAT(err_, HasSubstr("it ends at 11"));
  EXPECT_EQ(run({"reset", "--file", "missing.log", "--to-end"}), kExitFailure);
  EXPECT_THAT(err_, HasSubstr("the file is missing"));
  EXPECT_EQ(run({"reset", "--source", "nobody"}), kExitFailure);
  EXPECT_THAT(err_, HasSubstr("no checkpoint matches"));
  EXPECT_EQ(cursors()["1bus"].offset, 4u);
  EXPECT_EQ(run({"reset", "--file", "app.log", "--to-offset", "2"}), kExitOk);
  EXPECT_THAT(err_, HasSubstr("within a line"));
}

TEST_F(CheckpointsCommandTest, ADryRunChangesNothing) {
  EXPECT_EQ(run({"reset", "--dry-run"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("sink bus: 4 -> 0\n"));
  EXPECT_EQ(cursors()["1bus"].offset, 4u);
}

TEST_F(CheckpointsCommandTest, ResetIsRefusedWhileAnAgentRuns) {
  const auto agent = CheckpointStore::open(data_dir_);
  ASSERT_TRUE(agent);
  EXPECT_EQ(run({"reset"}), kExitFailure);
  EXPECT_THAT(err_, HasSubstr("pid " + std::to_string(::getpid())));
  EXPECT_EQ(out_, "");
  EXPECT_EQ(run({"list"}), kExitOk);
}

TEST_F(CheckpointsCommandTest, WhereThereIsNothingNothingIsCreated) {
  data_dir_ = dir_ / "other";
  EXPECT_EQ(run({"list"}), kExitFailure);
  EXPECT_THAT(err_, HasSubstr("No such file or directory"));
  EXPECT_EQ(run({"reset"}), kExitFailure);
  EXPECT_FALSE(std::filesystem::exists(data_dir_));
}

// Offsets are those of what it holds: its size on the disk says nothing about them.
TEST_F(CheckpointsCommandTest, ACompressedFileIsNotTruncated) {
  const std::string path = dir_ / "old.log.gz";
  std::ofstream(path) << "\x1f\x8b\x08 and more";
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  CheckpointChanges changes;
  changes.files = {file(4, "app", path)};
  changes.files[0].device = info.st_dev;
  changes.files[0].inode = info.st_ino;
  changes.cursors = {cursor(4, "bus", 1000)};
  ASSERT_TRUE((*CheckpointStore::open(data_dir_))->commit(changes));
  EXPECT_EQ(run({"list"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("1000    -  compressed"));
  EXPECT_THAT(out_, Not(HasSubstr("truncated")));
  EXPECT_EQ(run({"reset", "--file", "old.log.gz", "--to-offset", "4"}), kExitFailure);
  EXPECT_THAT(err_, HasSubstr("the file is compressed"));
  EXPECT_EQ(run({"reset", "--file", "old.log.gz"}), kExitOk);
  EXPECT_EQ(cursors()["4bus"].offset, 0U);
}

}  // namespace
}  // namespace logflume
