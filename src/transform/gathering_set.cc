#include "transform/gathering_set.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace logflume {
namespace {

using Sinks = GatheringSet::Sinks;

Sinks common(const Sinks& a, const Sinks& b) {
  Sinks both;
  std::ranges::set_intersection(a, b, std::back_inserter(both));
  return both;
}

Sinks without(const Sinks& a, const Sinks& b) {
  Sinks rest;
  std::ranges::set_difference(a, b, std::back_inserter(rest));
  return rest;
}

}  // namespace

void GatheringSet::add(std::size_t maker, Stage& stage, const Frame& in, const Sinks& sinks,
                       StageReport& report) {
  const Pipeline::Maker& of = pipeline_.makers()[maker];
  std::vector<Part>& parts = parts_[maker];
  const Sinks wanted = common(sinks, of.sinks);
  if (wanted.empty()) return;
  Sinks fresh = wanted;
  // Sinks that parted may come together where nothing is kept for any of them.
  std::erase_if(parts, [&](const Part& part) { return part.gathered->empty() && part.sinks != wanted; });
  StageReport of_others;  // what is wrong with an event counts once
  bool first = true;
  const auto gather = [&](Part& part) {
    part.again = in.again || (part.again && !part.gathered->empty());
    stage.gather(in, *part.gathered, std::exchange(first, false) ? report : of_others);
  };
  const std::size_t count = parts.size();
  for (std::size_t i = 0; i < count; ++i) {
    Sinks these = common(parts[i].sinks, wanted);
    if (these.empty()) continue;
    fresh = without(fresh, these);
    if (these.size() < parts[i].sinks.size()) {
      // Of the two one reads what the other has had, or will read it.
      Part others{without(parts[i].sinks, these), parts[i].again || !in.again, parts[i].gathered->copy()};
      parts[i].sinks = std::move(these);
      parts.push_back(std::move(others));
    }
    gather(parts[i]);
  }
  if (fresh.empty()) return;
  const Transform& transform = *pipeline_.plan().nodes()[of.node].transform;
  parts.push_back({std::move(fresh), false, transform.make_gathering()});
  gather(parts.back());
}

std::int64_t GatheringSet::due_ns() const {
  std::int64_t due = Gathering::kAll;
  for (const auto& parts : parts_) {
    for (const Part& part : parts)
      due = std::min(due, part.gathered->has_closed() ? INT64_MIN : part.gathered->due_ns());
  }
  return due;
}

void GatheringSet::close(std::int64_t now_ns, const Make& make) {
  for (std::size_t maker = 0; maker < parts_.size(); ++maker) {
    for (Part& part : parts_[maker]) {
      part.gathered->close(now_ns);
      if (part.gathered->has_closed()) make(maker, part);
    }
  }
}

void GatheringSet::close(const std::string& sink, const Make& make) {
  for (std::size_t maker = 0; maker < parts_.size(); ++maker) {
    for (auto part = parts_[maker].begin(); part != parts_[maker].end(); ++part) {
      const auto own = std::ranges::find(part->sinks, sink);
      if (own == part->sinks.end()) continue;
      if (part->sinks.size() == 1) {
        part->gathered->close(Gathering::kAll);
        if (part->gathered->has_closed()) make(maker, *part);
        parts_[maker].erase(part);
      } else {
        part->sinks.erase(own);
        Part alone{{sink}, true, part->gathered->copy()};
        alone.gathered->close(Gathering::kAll);
        if (alone.gathered->has_closed()) make(maker, alone);
      }
      break;  // it is in no other one
    }
  }
}

void GatheringSet::take_over(GatheringSet& before) {
  const auto transform_of = [](const GatheringSet& set, std::size_t maker) {
    return set.pipeline_.plan().nodes()[set.pipeline_.makers()[maker].node].transform.get();
  };
  for (std::size_t to = 0; to < parts_.size(); ++to) {
    for (std::size_t from = 0; from < before.parts_.size(); ++from) {
      if (transform_of(*this, to) != transform_of(before, from)) continue;
      std::erase_if(before.parts_[from], [&](Part& part) {
        if (!std::ranges::includes(pipeline_.makers()[to].sinks, part.sinks)) return false;
        parts_[to].push_back(std::move(part));
        return true;
      });
    }
  }
}

std::size_t GatheringSet::memory_bytes() const {
  std::size_t bytes = 0;
  for (const auto& parts : parts_) {
    for (const Part& part : parts) bytes += part.gathered->memory_bytes();
  }
  return bytes;
}

}  // namespace logflume
