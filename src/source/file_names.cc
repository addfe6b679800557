#include "source/file_names.h"

#include <algorithm>
#include <utility>

namespace logflume {

bool FileNames::contains(const std::string& name) const {
  return any_of([&](const std::string& own) { return own == name; });
}

void FileNames::add(const std::string& name) {
  if (contains(name)) return;
  if (name == path_) {
    is_name_ = true;
  } else {
    rare().others.push_back(name);
  }
}

void FileNames::remove(const std::string& name) {
  if (name == path_) is_name_ = false;
  if (!rare_) return;
  std::erase(rare_->others, name);
  tidy();
}

void FileNames::clear() {
  is_name_ = false;
  if (!rare_) return;
  rare_->others.clear();
  tidy();
}

void FileNames::go_by(const std::string& name) {
  if (name == path_) return;
  const bool was_name = std::exchange(is_name_, contains(name));
  std::string before = std::exchange(path_, name);
  if (was_name) rare().others.push_back(std::move(before));
  if (!rare_) return;
  std::erase(rare_->others, name);
  tidy();
}

const std::string& FileNames::moved_to() const {
  static const std::string none;
  return rare_ ? rare_->moved_to : none;
}

void FileNames::set_moved_to(std::string path) {
  if (!rare_ && path.empty()) return;
  rare().moved_to = std::move(path);
  tidy();
}

FileNames::Rare& FileNames::rare() {
  if (!rare_) rare_ = std::make_unique<Rare>();
  return *rare_;
}

void FileNames::tidy() {
  if (rare_->others.empty() && rare_->moved_to.empty()) rare_.reset();
}

}  // namespace logflume
