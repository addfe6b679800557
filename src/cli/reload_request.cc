#include "cli/reload_request.h"

#include <fmt/format.h>
#include <simdjson.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "telemetry/json_text.h"

namespace logflume {

std::string ReloadRequest::json() const {
  std::string out = fmt::format("{{\"dry_run\":{},\"force\":{},\"paths\":[", dry_run, force);
  for (const std::string& path : paths) {
    if (out.back() != '[') out += ',';
    append_json_string(out, path);
  }
  return out + "]}";
}

std::optional<ReloadRequest> ReloadRequest::from_json(std::string_view text) {
  ReloadRequest request;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(text.data(), text.size()).get(object) != simdjson::SUCCESS) return std::nullopt;
  for (const auto& [key, flag] : {std::pair{"dry_run", &request.dry_run}, {"force", &request.force}}) {
    bool value = false;
    if (object[key].get(value) == simdjson::SUCCESS) *flag = value;
  }
  simdjson::dom::array paths;
  if (object["paths"].get(paths) != simdjson::SUCCESS) return request;
  for (const simdjson::dom::element path : paths) {
    std::string_view one;
    if (path.get(one) == simdjson::SUCCESS) request.paths.emplace_back(one);
  }
  return request;
}

std::string ReloadAnswer::json() const {
  static constexpr std::string_view kResults[] = {"applied", "dry_run", "refused", "invalid"};
  std::string out =
      fmt::format("{{\"result\":\"{}\",\"message\":", kResults[static_cast<std::size_t>(result)]);
  append_json_string(out, message);
  out += ",\"diagnostics\":";
  append_json_string(out, diagnostics);
  out += ",\"text\":";
  append_json_string(out, to_text(difference));
  return out + ",\"difference\":" + to_json(difference) + "}\n";
}

ReloadQueue::ReloadQueue() : wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

ReloadAnswer ReloadQueue::ask(ReloadRequest request) {
  Waiting own{std::move(request), std::nullopt};
  std::unique_lock lock(mutex_);
  if (closed_) return {ReloadAnswer::Result::kRefused, "the agent is stopping", {}, {}};
  waiting_.push_back(&own);
  (void)::eventfd_write(wake_.get(), 1);
  answered_.wait(lock, [&] { return own.answer.has_value(); });
  return *std::move(own.answer);
}

void ReloadQueue::serve(const std::function<ReloadAnswer(const ReloadRequest&)>& reload) {
  eventfd_t count = 0;
  (void)::eventfd_read(wake_.get(), &count);
  std::unique_lock lock(mutex_);
  while (!waiting_.empty()) {
    Waiting& first = *waiting_.front();
    waiting_.pop_front();
    lock.unlock();  // its owner waits: it stays where it is
    ReloadAnswer answer = reload(first.request);
    lock.lock();
    first.answer = std::move(answer);
    answered_.notify_all();
  }
}

void ReloadQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (Waiting* one : std::exchange(waiting_, {}))
    one->answer = ReloadAnswer{ReloadAnswer::Result::kRefused, "the agent is stopping", {}, {}};
  answered_.notify_all();
}

std::vector<std::string> absolute_paths(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    std::error_code error;
    out.push_back(std::filesystem::absolute(path, error).lexically_normal().string());
  }
  return out;
}

}  // namespace logflume
