// What one look at the directories has found, put in the order in which a listener is told.
//
// Names that went and names that came are collected first and matched by the identity of the file behind
// them. So a rename is one however it was seen: as two events, across directories, with its whole
// directory, or only by a rescan.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "source/discovery.h"

namespace logflume {

// Told the token of a name that came.
class TokenHolder {
 public:
  FileToken token = 0;
  std::uint32_t pending = 0;  // the gained name that waits for commit(), plus 1
};

class NameChanges {
 public:
  // The content behind a name that stays may have changed.
  void changed(FileToken token) {
    if (token != 0) changed_.push_back(token);
  }
  void lost(std::uint64_t identity, FileToken token, std::string path) {
    if (token != 0) lost_.push_back({identity, token, std::move(path)});
  }
  // `holder` stays where it is until commit() or cancel().
  void gained(std::uint64_t identity, FoundFile file, TokenHolder& holder);
  std::size_t gained_names() const { return gained_.size(); }
  // A name that comes may be that of a file that has just left another.
  bool some_lost() const { return !lost_.empty(); }
  // The name went before anybody heard of it.
  void cancel(TokenHolder& holder);

  // Tells: changed, lost, renamed (a name that is free before the name that takes it), found. A renamed file
  // counts as changed too: what was written while its new directory had no watch yet is seen so.
  void commit(DiscoveryListener& listener);

 private:
  struct Lost {
    std::uint64_t identity;
    FileToken token;
    std::string path;
  };
  struct Gained {
    std::uint64_t identity;
    FoundFile file;
    TokenHolder* holder;  // nullptr when cancelled
  };
  struct Rename {
    std::size_t from;  // of lost_
    std::size_t to;    // of gained_
    bool told = false;
  };
  std::vector<Rename> match(std::vector<bool>& is_renamed) const;
  void tell_renames(std::vector<Rename>& renames, DiscoveryListener& listener);

  std::vector<FileToken> changed_;
  std::vector<Lost> lost_;
  std::vector<Gained> gained_;
};

}  // namespace logflume
