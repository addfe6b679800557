#include "transform/held_events.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <utility>

namespace logflume {
namespace {

constexpr std::size_t kShare = 8;  // of the memory limit

}  // namespace

HeldEvents::HeldEvents(const Pipeline& pipeline, MemoryBudget& budget)
    : pipeline_(pipeline), memory_(budget.limit_bytes() / kShare, &budget) {}

std::vector<HeldEvents::Group> HeldEvents::take(const std::vector<Member>& members) {
  std::vector<Group> groups;
  std::vector<std::shared_ptr<Kept>> kept;  // by group; null: nothing is open
  for (const Member& member : members) {
    std::shared_ptr<Kept> own;
    if (const auto way = ways_.find(member.cursor.get()); way != ways_.end())
      own = std::exchange(way->second.kept, nullptr);
    const auto known = std::ranges::find_if(kept, [&](const auto& other) {
      return other == own || (other && own && other->open.same(own->open));
    });
    if (known == kept.end()) {
      groups.push_back({{member}, {}});
      kept.push_back(std::move(own));
    } else {
      groups[static_cast<std::size_t>(known - kept.begin())].members.push_back(member);
    }
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (!kept[i]) {
      groups[i].open.by_join.resize(pipeline_.joins().size());
    } else if (kept[i].use_count() == 1) {
      groups[i].open = std::move(kept[i]->open);
    } else {
      groups[i].open = kept[i]->open.copy();
    }
  }
  return groups;
}

void HeldEvents::keep(Group group) {
  std::shared_ptr<Kept> kept;
  for (const Member& member : group.members) {
    const auto way = ways_.find(member.cursor.get());
    if (way == ways_.end()) continue;  // it gets nothing of what is open
    if (!kept) kept = keep(std::move(group.open));
    way->second.kept = kept;
  }
}

std::shared_ptr<HeldEvents::Kept> HeldEvents::keep(OpenEvents open) {
  const std::size_t bytes = open.memory_bytes();
  auto kept = std::make_shared<Kept>(std::move(open), memory_);
  kept->bytes.grow(bytes);
  return kept;
}

HeldEvents::Owed HeldEvents::settle(const Member& member, const std::string& sink, const OpenEvents& open,
                                    const Given* given) {
  const auto known = ways_.find(member.cursor.get());
  Way fresh;
  Way& way = known == ways_.end() ? fresh : known->second;
  if (known == ways_.end()) {
    way.owed_to = given->range.begin;
    way.seam = given->before;
  }
  if (given != nullptr) {
    way.given_to = given->range.end;
    way.given_seam = given->seam;
    way.skipped_bytes += given->skipped_bytes;
  }
  Owed owed{{way.owed_to, way.given_to}, way.given_seam, 0, std::exchange(way.together, nullptr)};
  bool held = false;
  for (std::size_t i = 0; i < open.by_join.size(); ++i) {
    const OpenEvent* const event = open.by_join[i].get();
    if (event == nullptr || !std::ranges::binary_search(pipeline_.joins()[i].sinks, sink)) continue;
    held = true;
    assert(event->in_file.begin >= way.owed_to);
    if (event->in_file.begin >= owed.range.end) continue;
    owed.range.end = event->in_file.begin;
    owed.seam = event->seam;
  }
  owed.skipped_bytes = std::min(way.skipped_bytes, owed.range.bytes());
  way.skipped_bytes -= owed.skipped_bytes;
  way.owed_to = owed.range.end;
  way.seam = owed.seam;
  if (!held) {
    if (known != ways_.end()) ways_.erase(known);
  } else if (known == ways_.end()) {
    fresh.cursor = member.cursor;
    fresh.sink = sink;
    ways_.emplace(member.cursor.get(), std::move(fresh));
  }
  return owed;
}

void HeldEvents::owes_with(const Cursor& cursor, IntrusivePtr<OwedTogether> together) {
  ways_.at(&cursor).together = std::move(together);
}

std::vector<std::vector<HeldEvents::Member>> HeldEvents::members(const std::vector<Outlet>& outlets,
                                                                 bool orphans) {
  std::erase_if(ways_, [&](const auto& way) {
    return std::ranges::find(outlets, way.second.sink, &Outlet::sink) == outlets.end();
  });
  std::map<std::uint64_t, std::vector<Member>> by_file;
  for (const auto& [cursor, way] : ways_) {
    if (orphans && !cursor->unique()) continue;
    const auto outlet = std::ranges::find(outlets, way.sink, &Outlet::sink);
    by_file[cursor->file_id()].push_back({static_cast<std::size_t>(outlet - outlets.begin()), way.cursor});
  }
  std::vector<std::vector<Member>> files;
  for (auto& [file, members] : by_file) files.push_back(std::move(members));
  return files;
}

bool HeldEvents::too_much() const { return memory_.used_bytes() > memory_.limit_bytes(); }

void HeldEvents::give_back(const std::string& sink) {
  for (auto way = ways_.begin(); way != ways_.end();) {
    if (!sink.empty() && way->second.sink != sink) {
      ++way;
      continue;
    }
    Cursor& cursor = *way->second.cursor;
    cursor.fed_offset = way->second.owed_to;
    cursor.fed_seam = way->second.seam;
    way = ways_.erase(way);
  }
}

// By step that joins: its number there; Pipeline::kNone: it is new.
std::vector<std::size_t> HeldEvents::joins_in(const Pipeline& before) const {
  const auto transform_of = [](const Pipeline& pipeline, std::size_t join) {
    return pipeline.plan().nodes()[pipeline.steps()[pipeline.joins()[join].step].node].transform.get();
  };
  std::vector<std::size_t> old_join(pipeline_.joins().size(), Pipeline::kNone);
  std::vector<bool> taken(before.joins().size(), false);
  for (std::size_t to = 0; to < old_join.size(); ++to) {
    for (std::size_t from = 0; from < taken.size() && old_join[to] == Pipeline::kNone; ++from) {
      if (taken[from] || transform_of(pipeline_, to) != transform_of(before, from)) continue;
      old_join[to] = from;
      taken[from] = true;
    }
  }
  return old_join;
}

void HeldEvents::take_over(HeldEvents& before) {
  const std::vector<std::size_t> old_join = joins_in(before.pipeline_);
  std::map<const Kept*, std::shared_ptr<Kept>> moved;
  for (auto way = before.ways_.begin(); way != before.ways_.end();) {
    const OpenEvents& open = way->second.kept->open;
    // All of what is open has a place here, for this sink too.
    std::vector<bool> has_place(open.by_join.size(), false);
    for (std::size_t join = 0; join < old_join.size(); ++join) {
      if (old_join[join] != Pipeline::kNone)
        has_place[old_join[join]] =
            std::ranges::binary_search(pipeline_.joins()[join].sinks, way->second.sink);
    }
    bool fits = true;
    for (std::size_t i = 0; i < has_place.size(); ++i) fits = fits && (has_place[i] || !open.by_join[i]);
    if (!fits) {
      ++way;
      continue;
    }
    std::shared_ptr<Kept>& here = moved[&*way->second.kept];
    if (!here) {
      OpenEvents copied;
      for (const std::size_t from : old_join) {
        const bool there = from != Pipeline::kNone && open.by_join[from];
        copied.by_join.push_back(there ? std::make_unique<OpenEvent>(*open.by_join[from]) : nullptr);
      }
      here = keep(std::move(copied));
    }
    way->second.kept = here;
    ways_.insert_or_assign(way->first, std::move(way->second));
    way = before.ways_.erase(way);
  }
}

}  // namespace logflume
