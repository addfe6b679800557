#include <gtest/gtest.h>

#include <string>

#include "disk/segment_log.h"
#include "simulation/simulated_disk.h"

namespace logflume {
namespace {

// What a reader finds from the beginning on.
std::string records_of(Disk& disk, const std::string& directory) {
  SegmentReader reader(disk, directory, 0);
  std::string memory(SegmentReader::kMemoryMin, '\0');
  std::string all;
  LogChunk chunk;
  while (!chunk.at_end && reader.read(memory, chunk)) {
    for (const LogRecord& record : chunk.records) all += std::string(record.payload) + " ";
  }
  return all;
}

void append(SegmentLog& log, std::string payload) {
  const iovec piece{payload.data(), payload.size()};
  const SegmentLog::Record record{1, {&piece, 1}};
  ASSERT_TRUE(log.append({&record, 1}));
}

// Goal: what open() has found is durable when it returns, also where a sync of it had failed before, and the
// kernel holds for clean what never reached the disk. Method: the process dies after the failed sync, the
// next one opens the log, and then the power goes.
TEST(SegmentLogPower, WhatOpenFindsAfterAFailedSyncIsDurable) {
  int found_unsynced = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SimulatedDisk disk(seed);
    ASSERT_TRUE(disk.make_directory("/data"));
    const std::string directory = "/data/log";
    std::uint64_t synced_to = 0;
    {
      auto log = SegmentLog::open(disk, directory, {}, 0);
      ASSERT_TRUE(log);
      if (seed % 2 == 0) {
        append(**log, "one");
        ASSERT_TRUE((*log)->sync());
        synced_to = (*log)->synced_end();
      }
      append(**log, std::string(700, 'x'));
      append(**log, "two");
      DiskFaults faults;
      faults.sync = 1;
      disk.set_faults(faults);
      ASSERT_FALSE((*log)->sync());
      disk.set_faults({});
    }
    disk.restart(Crash::kKill);
    ASSERT_TRUE(SegmentLog::open(disk, directory, {}, synced_to));
    const std::string found = records_of(disk, directory);
    if (found.ends_with("two ")) ++found_unsynced;
    disk.restart(Crash::kPower);
    ASSERT_TRUE(SegmentLog::open(disk, directory, {}, synced_to));
    ASSERT_EQ(records_of(disk, directory), found) << "seed " << seed;
  }
  EXPECT_GT(found_unsynced, 20);
}

}  // namespace
}  // namespace logflume
