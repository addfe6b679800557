#include "checkpoint/rename.h"

#include <algorithm>

namespace logflume {

bool knows_component(const CheckpointContent& content, const std::string& name) {
  return std::any_of(content.files.begin(), content.files.end(),
                     [&](const FileRecord& file) { return file.source == name; }) ||
         std::any_of(content.cursors.begin(), content.cursors.end(),
                     [&](const CursorRecord& cursor) { return cursor.sink == name; }) ||
         std::any_of(content.states.begin(), content.states.end(),
                     [&](const SinkStateRecord& state) { return state.sink == name; });
}

CheckpointChanges rename_component(const CheckpointContent& content, const std::string& from,
                                   const std::string& to) {
  CheckpointChanges changes;
  for (FileRecord file : content.files) {
    if (file.source != from) continue;
    file.source = to;
    changes.files.push_back(std::move(file));
  }
  for (CursorRecord cursor : content.cursors) {
    if (cursor.sink != from) continue;
    cursor.sink = to;
    changes.cursors.push_back(std::move(cursor));
  }
  for (RangeRecord range : content.ranges) {
    if (range.sink != from) continue;
    range.sink = to;
    changes.ranges.push_back(std::move(range));
  }
  if (!changes.cursors.empty()) changes.removed_sinks.push_back(from);
  for (SinkStateRecord state : content.states) {
    if (state.sink != from) continue;
    changes.states.push_back({from, state.key, ""});
    state.sink = to;
    changes.states.push_back(std::move(state));
  }
  return changes;
}

}  // namespace logflume
