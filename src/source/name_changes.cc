#include "source/name_changes.h"

#include <string_view>
#include <unordered_map>
#include <utility>

namespace logflume {

void NameChanges::gained(std::uint64_t identity, FoundFile file, TokenHolder& holder) {
  gained_.push_back({identity, std::move(file), &holder});
  holder.pending = static_cast<std::uint32_t>(gained_.size());
}

void NameChanges::cancel(TokenHolder& holder) {
  gained_[holder.pending - 1].holder = nullptr;
  holder.pending = 0;
}

std::vector<NameChanges::Rename> NameChanges::match(std::vector<bool>& is_renamed) const {
  std::vector<Rename> renames;
  if (lost_.empty() || gained_.empty()) return renames;
  std::unordered_multimap<std::uint64_t, std::size_t> by_identity;
  for (std::size_t i = 0; i < lost_.size(); ++i) by_identity.emplace(lost_[i].identity, i);
  for (std::size_t i = 0; i < gained_.size(); ++i) {
    if (gained_[i].holder == nullptr) continue;
    const auto found = by_identity.find(gained_[i].identity);
    if (found == by_identity.end()) continue;
    renames.push_back({found->second, i});
    is_renamed[found->second] = true;
    by_identity.erase(found);
  }
  return renames;
}

// app.log -> app.log.1 while app.log.1 -> app.log.2: the second is told first. A circle (two names exchanged)
// is cut anywhere.
void NameChanges::tell_renames(std::vector<Rename>& renames, DiscoveryListener& listener) {
  std::unordered_map<std::string_view, std::size_t> by_old_path;
  for (std::size_t i = 0; i < renames.size(); ++i) by_old_path.emplace(lost_[renames[i].from].path, i);
  std::vector<std::size_t> chain;
  for (std::size_t first = 0; first < renames.size(); ++first) {
    for (std::size_t i = first; !renames[i].told;) {
      renames[i].told = true;
      chain.push_back(i);
      const auto next = by_old_path.find(gained_[renames[i].to].file.path);
      if (next == by_old_path.end()) break;
      i = next->second;
    }
    for (; !chain.empty(); chain.pop_back()) {
      const Rename& rename = renames[chain.back()];
      const FileToken token = lost_[rename.from].token;
      gained_[rename.to].holder->token = token;
      // The same path again: the way to it was replaced, and leads to the same file.
      if (gained_[rename.to].file.path != lost_[rename.from].path) {
        listener.on_renamed(token, lost_[rename.from].path, gained_[rename.to].file.path);
      }
      listener.on_changed(token);
    }
  }
}

void NameChanges::commit(DiscoveryListener& listener) {
  for (const FileToken token : changed_) listener.on_changed(token);
  changed_.clear();
  if (lost_.empty() && gained_.empty()) return;
  std::vector<bool> is_renamed(lost_.size());
  std::vector<Rename> renames = match(is_renamed);
  for (std::size_t i = 0; i < lost_.size(); ++i) {
    if (!is_renamed[i]) listener.on_lost(lost_[i].token, lost_[i].path);
  }
  tell_renames(renames, listener);
  for (const Rename& rename : renames) {
    gained_[rename.to].holder->pending = 0;
    gained_[rename.to].holder = nullptr;
  }
  for (Gained& gained : gained_) {
    if (gained.holder == nullptr) continue;
    gained.holder->pending = 0;
    gained.holder->token = listener.on_found(gained.file);
  }
  lost_ = {};
  gained_ = {};
}

}  // namespace logflume
