#include <algorithm>

#include "source/source.h"
#include "source/tailed_file.h"

namespace logflume {

bool SourceLegacy::all_acknowledged() const {
  return std::all_of(contents.begin(), contents.end(), [](const Content& content) {
    return !content.live || std::all_of(content.live->cursors.begin(), content.live->cursors.end(),
                                        [](const CursorRef& cursor) {
                                          return !cursor || cursor->acked_offset() >= cursor->fed_offset;
                                        });
  });
}

void SourceLegacy::forget(const SinkLedger& ledger) {
  for (Content& content : contents) {
    if (!content.live) continue;
    for (CursorRef& cursor : content.live->cursors) {
      if (!cursor || &cursor->ledger() != &ledger) continue;
      cursor = {};
      // What was in flight to it is read again: the store says from where.
      std::erase_if(content.cursors, [&](const CursorRecord& own) { return own.sink == ledger.sink(); });
    }
  }
}

}  // namespace logflume
