#include "sink/event_encoder.h"

#include "sink/encode.h"
#include "sink/field_encoders.h"

namespace logflume {

void BatchEvents::build(const Batch& batch) {
  view_ = batch.view.get();
  if (view_ == nullptr) index_.build(batch);
}

std::size_t BatchEvents::bytes_from(std::size_t index) const {
  if (view_ == nullptr) return index_.text().size() - index_.begin_of(index);
  std::size_t bytes = 0;
  for (std::size_t i = index; i < view_->size(); ++i) bytes += view_->line(i).size() + 1;
  return bytes;
}

std::pair<std::size_t, std::size_t> BatchEvents::place(std::size_t index) const {
  const EventIndex& lines = view_ == nullptr ? index_ : view_->lines();
  const std::size_t row = view_ == nullptr ? index : (*view_)[index].row;
  return {lines.begin_of(row), lines.end_of(row)};
}

bool BatchEvents::is_as_read(std::size_t index) const {
  if (view_ != nullptr) {
    const EventView::Place place = (*view_)[index];
    if (view_->frames()[place.frame]->has_own_line(place.row)) return false;
  }
  const auto [begin, end] = place(index);
  return end - begin == (*this)[index].size() + 1;
}

TextRun BatchEvents::run_from(std::size_t index) const {
  if (!is_as_read(index)) return {};
  const auto [begin, first_end] = place(index);
  std::size_t end = first_end;
  std::size_t next = index + 1;
  for (; next < size(); ++next) {
    const auto [next_begin, next_end] = place(next);
    if (next_begin != end || !is_as_read(next)) break;
    end = next_end;
  }
  const std::string_view text = (view_ == nullptr ? index_ : view_->lines()).text();
  return {text.substr(begin, end - begin), next - index};
}

std::unique_ptr<EventEncoder> make_event_encoder(const SinkConfig& config, const std::string& host) {
  switch (config.encoding) {
    case Encoding::kRaw:
      return nullptr;
    case Encoding::kJson:
      return std::make_unique<JsonEncoder>(host, config.labels);
    case Encoding::kLogfmt:
      return make_logfmt_encoder(host, config.labels);
    case Encoding::kCsv:
      return make_csv_encoder(host, config.labels, config.csv_columns);
    case Encoding::kMsgpack:
      return make_msgpack_encoder(host, config.labels);
    case Encoding::kLine:
      return make_line_encoder(host, config.labels);
  }
  return nullptr;
}

}  // namespace logflume
