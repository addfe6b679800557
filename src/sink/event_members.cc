#include "sink/event_members.h"

#include <algorithm>
#include <utility>

namespace logflume {

EventMembers::EventMembers(std::string host, Labels labels)
    : host_(std::move(host)), labels_(std::move(labels)) {
  labels_.erase(std::string(kMessageField));  // an event's bytes are never replaced
}

void EventMembers::begin(const Batch& batch, const BatchEvents& events) {
  events_ = &events;
  view_ = events.view();
  if (view_ == nullptr) {
    plans_.resize(1);
    plan(plain_, batch, plans_[0]);
    return;
  }
  plans_.resize(view_->frames().size());
  for (std::size_t i = 0; i < plans_.size(); ++i) plan(*view_->frames()[i], batch, plans_[i]);
}

void EventMembers::plan(const Frame& frame, const Batch& batch, Plan& plan) const {
  using Instead = EventMember::Instead;
  Plan constants;
  const auto base = [&](BaseField field, Instead instead, std::string_view text, std::int64_t time_ns) {
    const std::string_view name = kBaseFieldNames[static_cast<std::size_t>(field)];
    if (!frame.hides(field) && !labels_.contains(std::string(name)))
      constants.push_back({{}, name, nullptr, instead, text, time_ns});
  };
  base(BaseField::kFile, Instead::kText, batch.origin->path, 0);
  base(BaseField::kSource, Instead::kText, batch.origin->source, 0);
  base(BaseField::kHost, Instead::kText, host_, 0);
  base(BaseField::kTimestamp, Instead::kTime, {}, batch.wall_ns);
  for (const auto& [name, value] : labels_)
    constants.push_back({{}, name, nullptr, Instead::kText, value, 0});

  plan.clear();
  if (frame.message_is_line && frame.find(kMessageField) == nullptr)
    plan.push_back({{}, kMessageField, nullptr, Instead::kLine, {}, 0});
  for (const FrameField& field : frame.fields)
    plan.push_back({field.object, field.name, &field, Instead::kNothing, {}, 0});
  std::stable_sort(plan.begin(), plan.end(),
                   [](const EventMember& a, const EventMember& b) { return a.object < b.object; });
  for (EventMember& member : plan) {
    if (member.field == nullptr || !member.object.empty()) continue;
    if (member.name == kMessageField && frame.message_is_line) member.instead = Instead::kLine;
    const auto same = std::ranges::find(constants, member.name, &EventMember::name);
    if (same == constants.end()) continue;
    member.instead = same->instead;
    member.text = same->text;
    member.time_ns = same->time_ns;
    constants.erase(same);
  }
  plan.insert(plan.end(), constants.begin(), constants.end());
}

}  // namespace logflume
