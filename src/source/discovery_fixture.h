// A temporary directory, a Discovery over it, and a listener that writes down what it is told.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "source/discovery.h"

namespace logflume {

namespace fs = std::filesystem;

// Writes down what it is told: "found a.log", "changed a.log", "renamed a.log b.log", "lost a.log"; paths
// without the test's directory. A file's token is looked up under the name of the moment.
class Recorder : public DiscoveryListener {
 public:
  explicit Recorder(std::string root) : root_(std::move(root)) {}

  bool has_room() override { return room > events.size(); }
  FileToken on_found(const FoundFile& file) override {
    events.push_back("found " + local(file.path));
    last = file;
    names_[++token_] = local(file.path);
    return ignored.contains(local(file.path)) ? 0 : token_;
  }
  void on_changed(FileToken token) override { events.push_back("changed " + name(token)); }
  void on_renamed(FileToken token, const std::string& old_path, const std::string& new_path) override {
    EXPECT_EQ(name(token), local(old_path));
    events.push_back("renamed " + name(token) + " " + local(new_path));
    names_[token] = local(new_path);
  }
  void on_lost(FileToken token, const std::string& path) override {
    events.push_back("lost " + local(path));
    EXPECT_EQ(name(token), local(path));
    if (discovery != nullptr) departures[local(path)] = discovery->departure_of(path);
  }

  FileToken last_token() const { return token_; }
  std::vector<std::string> take() { return std::exchange(events, {}); }
  bool saw(const std::string& event) const {
    return std::find(events.begin(), events.end(), event) != events.end();
  }

  const Discovery* discovery = nullptr;  // asked for departures
  std::map<std::string, Discovery::Departure> departures;
  std::vector<std::string> events;
  std::set<std::string> ignored;
  std::size_t room = SIZE_MAX;  // for another file, while fewer events than that were told
  FoundFile last;

 private:
  std::string local(const std::string& path) const {
    return path.starts_with(root_ + "/") ? path.substr(root_.size() + 1) : path;
  }
  std::string name(FileToken token) const {
    const auto found = names_.find(token);
    return found == names_.end() ? "?" + std::to_string(token) : found->second;
  }

  std::string root_;
  std::map<FileToken, std::string> names_;
  FileToken token_ = 0;
};

class DiscoveryTest : public testing::Test {
 protected:
  DiscoveryTest() : root_(make_root()), recorder_(root_), log_(LogLevel::kError) {}
  ~DiscoveryTest() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  static std::string make_root() {
    std::string path = fs::canonical(testing::TempDir()).string() + "/discovery_XXXXXX";
    return ::mkdtemp(path.data());
  }
  std::string at(const std::string& name) const { return root_ + "/" + name; }

  void start(std::vector<std::string> include, std::vector<std::string> exclude = {}) {
    DiscoveryConfig config;
    for (const std::string& glob : include) config.include.push_back(glob.starts_with('/') ? glob : at(glob));
    for (const std::string& glob : exclude) config.exclude.push_back(at(glob));
    discovery_ = std::make_unique<Discovery>(config, "test", log_, recorder_);
    discovery_->open();
  }
  void write(const std::string& name, const std::string& text = "x\n") const {
    std::ofstream file(at(name), std::ios::app);
    file << text;
    ASSERT_TRUE(file.flush()) << name;
  }
  void make_directory(const std::string& name) const { fs::create_directories(at(name)); }
  void rename(const std::string& from, const std::string& to) const { fs::rename(at(from), at(to)); }
  void remove(const std::string& name) const { fs::remove_all(at(name)); }
  void link(const std::string& target, const std::string& name) const {
    fs::create_symlink(target, at(name));
  }

  // Handles events until there are none. All that was done before is told by then: the kernel queues an
  // event before the call that caused it returns.
  std::vector<std::string> events() {
    while (discovery_->poll() > 0) {
    }
    return recorder_.take();
  }
  std::vector<std::string> rescan() {
    discovery_->rescan(steady_now());
    return recorder_.take();
  }

  const std::string root_;
  Recorder recorder_;
  Log log_;
  std::unique_ptr<Discovery> discovery_;
};

}  // namespace logflume
