// The names of one file. There may be a million of them, nearly all with one name.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace logflume {

class FileNames {
 public:
  FileNames() = default;
  // One name.
  explicit FileNames(std::string name) : path_(std::move(name)), is_name_(true) {}

  // What the file goes by: a name of it, or one that it had last.
  const std::string& path() const { return path_; }
  bool empty() const { return !is_name_ && (!rare_ || rare_->others.empty()); }
  // REQUIRES: !empty().
  const std::string& first() const { return is_name_ ? path_ : rare_->others.front(); }
  bool contains(const std::string& name) const;
  void add(const std::string& name);
  void remove(const std::string& name);
  void clear();
  // It is `name`, one of its names or no longer one, that it goes by.
  void go_by(const std::string& name);
  // Until it is false. Returns whether `visit` was.
  template <typename Visit>
  bool any_of(Visit visit) const {
    if (is_name_ && visit(path_)) return true;
    if (!rare_) return false;
    for (const std::string& name : rare_->others) {
      if (visit(name)) return true;
    }
    return false;
  }

  // A path that is no name of it, but led to it when its handle was closed; empty: none.
  const std::string& moved_to() const;
  void set_moved_to(std::string path);

 private:
  struct Rare {
    std::vector<std::string> others;
    std::string moved_to;
  };
  Rare& rare();
  void tidy();

  std::string path_;
  bool is_name_ = false;
  std::unique_ptr<Rare> rare_;  // null: nothing in it
};

}  // namespace logflume
