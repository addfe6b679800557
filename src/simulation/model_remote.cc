#include "simulation/model_remote.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace logflume {

// -- The server -------------------------------------------------------------------------------------------

std::optional<RemoteServer::Lines> RemoteServer::lines_of(std::string_view text) {
  Lines lines;
  bool first = true;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n') + 1);
    std::uint64_t number = 0;
    std::uint64_t index = 0;
    if (!LogFiles::parse(line, number, index) || LogFiles::line(number, index) != line) return std::nullopt;
    if (first) lines = {number, index, index};
    if (number != lines.number || index != lines.end) return std::nullopt;
    ++lines.end;
    first = false;
    text.remove_prefix(line.size());
  }
  return lines;
}

std::optional<std::string> RemoteServer::receive(std::string_view text) {
  const auto lines = lines_of(text);
  if (!lines) return "what reached the server is no sequence of lines";
  const auto& marks = files_[lines->number];
  for (std::uint64_t i = lines->begin; i < std::min<std::uint64_t>(lines->end, marks.size()); ++i) {
    if ((marks[i] & kDurable) != 0) {
      return fmt::format("line {} of file {} came again, although its acknowledgement was durable", i,
                         lines->number);
    }
  }
  mark(*lines, kReceived);
  return std::nullopt;
}

bool RemoteServer::has(std::uint64_t number, std::uint64_t index) const {
  const auto known = files_.find(number);
  return known != files_.end() && index < known->second.size() &&
         (known->second[index] & (kReceived | kRefused)) != 0;
}

void RemoteServer::mark(const Lines& lines, std::uint8_t bit) {
  auto& marks = files_[lines.number];
  if (marks.size() < lines.end) marks.resize(lines.end);
  for (std::uint64_t i = lines.begin; i < lines.end; ++i) marks[i] |= bit;
}

// -- The sink ---------------------------------------------------------------------------------------------

std::size_t ModelRemoteSink::do_work(TimePoint now) {
  std::size_t count = 0;
  Delivery delivery;
  while (can_take() && context_.inbox.try_pop(delivery)) {
    context_.outcome.taken(delivery);
    requests_.push_back({std::move(delivery), {}, false});
    ++count;
  }
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i].sent || (behaviour_.in_order && is_blocked(i))) continue;
    requests_[i].sent = true;
    requests_[i].answer_at =
        now + Duration(random_.below(static_cast<std::uint64_t>(behaviour_.latency_max.count())));
    if (random_.chance(behaviour_.hangs)) requests_[i].answer_at += 60s;
    ++count;
  }
  std::erase_if(requests_, [&](Request& request) {
    if (!request.sent || now < request.answer_at) return false;
    ++count;
    return answered(request, now);
  });
  if (!finished_.empty() && random_.chance(0.5)) {
    flush();
    ++count;
  }
  return count;
}

bool ModelRemoteSink::is_blocked(std::size_t index) const {
  for (std::size_t i = 0; i < index; ++i) {
    if (requests_[i].delivery.batch->origin->file_id == requests_[index].delivery.batch->origin->file_id) {
      return true;
    }
  }
  return false;
}

bool ModelRemoteSink::answered(Request& request, TimePoint now) {
  const Batch& batch = *request.delivery.batch;
  const auto lines = RemoteServer::lines_of(batch.text());
  if (!lines) {
    wrong_ = "a batch holds no sequence of lines";
    return false;
  }
  const bool arrives = !random_.chance(behaviour_.fails);
  const bool refused = arrives && random_.chance(behaviour_.refuses);
  if (arrives && !refused) {
    if (auto wrong = server_.receive(batch.text()); wrong && !wrong_) wrong_ = std::move(wrong);
  }
  if (!arrives || (!refused && random_.chance(behaviour_.loses_answer))) {
    context_.metrics.retries().add();
    request.answer_at = now + Duration(random_.between(1'000'000, 500'000'000));
    return false;
  }
  if (refused) {
    server_.refuse(*lines);
    context_.outcome.discarded("rejected", request.delivery, batch.range_of(0, batch.events), batch.events);
  } else {
    context_.outcome.sent(batch.events, batch.bytes);
  }
  finished_.push_back({request.delivery.cursor, batch.owed, *lines});
  context_.outcome.finish(std::move(request.delivery));
  return true;
}

void ModelRemoteSink::flush() {
  context_.outcome.flush();
  std::move(finished_.begin(), finished_.end(), std::back_inserter(acknowledged_));
  finished_.clear();
}

TimePoint ModelRemoteSink::deadline() const {
  if (!finished_.empty()) return {};
  TimePoint at = kNever;
  for (const Request& request : requests_) {
    if (request.sent) at = std::min(at, request.answer_at);
  }
  return at;
}

}  // namespace logflume
