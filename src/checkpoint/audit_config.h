#pragma once

#include <cstdint>

namespace logflume {

// Of the audit's journal.
struct AuditConfig {
  bool enabled = false;
  std::uint64_t max_bytes = 64ULL * 1024 * 1024;  // on disk
  bool operator==(const AuditConfig&) const = default;
};

}  // namespace logflume
