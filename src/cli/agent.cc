#include "cli/agent.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <mutex>
#include <sstream>

#include "api/api_server.h"
#include "api/control_client.h"
#include "base/start_pages.h"
#include "checkpoint/audit_journal.h"
#include "checkpoint/checkpointer.h"
#include "cli/audit_service.h"
#include "cli/config_files.h"
#include "cli/exit_codes.h"
#include "cli/progress.h"
#include "cli/reload_request.h"
#include "config/difference.h"
#include "config/load.h"
#include "config/watch.h"
#include "telemetry/process_metrics.h"
#include "topology/peers.h"
#include "topology/topology.h"

namespace logflume {
namespace {

constexpr Duration kReloadPatience = 5s;  // semantics 20
constexpr Duration kPeerPatience = 3s;
constexpr Duration kUntilEofLook = 2ms;

// What the main thread waits for: signals, and whatever else has a descriptor.
class Signals {
 public:
  // `reloads`: SIGHUP is a request. Otherwise it says that the terminal is gone, unless nohup has it ignored.
  explicit Signals(bool reloads) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT}) ::sigaddset(&set, signal);
    struct sigaction hangup {};
    ::sigaction(SIGHUP, nullptr, &hangup);
    if (reloads || hangup.sa_handler != SIG_IGN) ::sigaddset(&set, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    for (const int signal : {SIGPIPE, SIGXFSZ}) ::signal(signal, SIG_IGN);  // EPIPE and EFBIG say the same
    fd_ = UniqueFd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  }
  int fd() const { return fd_.get(); }
  // The next signal; 0 when there is none.
  int next() {
    signalfd_siginfo info{};
    return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  UniqueFd fd_;
};

// As many open files as the system lets us have: max_open_files is our own limit.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

class AgentProcess {
 public:
  explicit AgentProcess(AgentOptions options)
      : options_(std::move(options)), signals_(/*reloads=*/!options_.config.has_value()) {}
  int run();

 private:
  std::optional<Config> load() const {
    return options_.config ? options_.config : load_config_or_explain(options_.config_paths);
  }
  void start_control();
  ApiReply audit(const ApiRequest& request);
  Result<void> start(const Config& config);
  void runs(const Config& config);
  Result<std::unique_ptr<ApiServer>> make_api(const Config& config);
  Result<void> replace_api(const Config& next, std::unique_ptr<ApiServer>& made);
  ReloadAnswer reload(const ReloadRequest& request);
  Result<void> change_to(const Config& next);
  int wait();
  bool stop_at_once();

  const AgentOptions options_;
  Signals signals_;
  Log log_;
  MetricRegistry metrics_;
  HealthBoard health_;
  std::shared_ptr<MetricRegistry::Collector> process_metrics_ = collect_process_metrics(metrics_);
  Config config_;
  std::unique_ptr<CheckpointStore> store_;
  std::unique_ptr<HealthEntry> checkpoint_health_;
  std::unique_ptr<Checkpointer> checkpointer_;
  InFlightBoard in_flight_;
  std::unique_ptr<AuditJournal> journal_;
  std::unique_ptr<AuditService> audits_;
  std::unique_ptr<ApiServer> api_;
  ReloadQueue reloads_;
  std::unique_ptr<ApiServer> control_;  // uses reloads_
  std::unique_ptr<ConfigWatch> watch_;
  std::unique_ptr<Topology> topology_;
  std::mutex listen_mutex_;
  std::string listen_;  // guarded by listen_mutex_: of the API, once every component has started
  std::atomic<bool> all_given_up_{false};
};

Result<void> AgentProcess::start(const Config& config) {
  const auto on_all_given_up = [this] {
    all_given_up_.store(true);
    ::kill(::getpid(), SIGTERM);
  };
  auto topology =
      Topology::build(config,
                      {metrics_, health_, log_, *store_, *checkpointer_, on_all_given_up, !options_.temporary,
                       options_.config.has_value(), &in_flight_, journal_.get()},
                      options_.until_eof);
  if (!topology) return topology.error();
  topology_ = std::move(*topology);
  topology_->start();
  runs(config);
  return {};
}

void AgentProcess::runs(const Config& config) {
  config_ = config;
  journal_->configure(config.audit);
  const std::lock_guard lock(listen_mutex_);
  listen_ = config.api.listen;
}

ApiReply AgentProcess::audit(const ApiRequest& request) {
  constexpr std::string_view kText = "text/plain; charset=utf-8";
  const auto parsed = AuditRequest::from_query(request.query);
  if (!parsed) return {400, "not an audit's question\n", kText};
  const Result<AuditAnswer> answer = audits_->answer(*parsed);
  if (!answer) return {500, answer.error().text() + "\n", kText};
  return {200, answer->json(parsed->text)};
}

// Null where the configuration wants none.
Result<std::unique_ptr<ApiServer>> AgentProcess::make_api(const Config& config) {
  if (!config.api.enabled) return std::unique_ptr<ApiServer>();
  ApiHandlers handlers;
  // While a reload opens the next one beside it, only the one that is ours has begun.
  handlers.ready = [this, listen = config.api.listen] {
    const std::lock_guard lock(listen_mutex_);
    return ApiHandlers::Readiness{listen_ == listen, "components are starting"};
  };
  handlers.health = [this] {
    return ApiHandlers::Health{health_.status() != HealthStatus::kFailing, health_.json()};
  };
  handlers.metrics = [this] { return metrics_.text(); };
  handlers.more["GET /audit"] = [this](const ApiRequest& request) { return audit(request); };
  return ApiServer::start(config.api.listen, std::move(handlers));
}

// Makes the server that `next` wants, beside the one that runs: whichever configuration wins has its own. On
// an error the old one goes on.
Result<void> AgentProcess::replace_api(const Config& next, std::unique_ptr<ApiServer>& made) {
  auto api = make_api(next);
  if (!api && api.error().code == Errc::kBusy && api_) {
    // The port may be in our own way, under another address.
    api_.reset();
    api = make_api(next);
    if (!api) {
      auto old = make_api(config_);
      if (!old) return old.error();
      api_ = std::move(*old);
    }
  }
  if (!api) return api.error();
  made = std::move(*api);
  return {};
}

// The socket for those who own data_dir. Without it the agent works as well.
void AgentProcess::start_control() {
  if (options_.config) return;
  ApiHandlers handlers;
  handlers.ready = [this] { return ApiHandlers::Readiness{topology_ != nullptr, "components are starting"}; };
  handlers.health = [this] {
    return ApiHandlers::Health{health_.status() != HealthStatus::kFailing, health_.json()};
  };
  handlers.metrics = [this] { return metrics_.text(); };
  handlers.more["GET /audit"] = [this](const ApiRequest& request) { return audit(request); };
  handlers.more["POST /reload"] = [this](const ApiRequest& request) {
    const auto parsed = ReloadRequest::from_json(request.body);
    if (!parsed) return ApiReply{400, "not a reload's JSON\n", "text/plain; charset=utf-8"};
    return ApiReply{200, reloads_.ask(*parsed).json()};
  };
  const std::string path = control_socket(config_.data_dir);
  auto server = ApiServer::start("unix:" + path, std::move(handlers));
  if (server) {
    control_ = std::move(*server);
  } else {
    log_.warn("agent", "{}: logflume reload will not find this agent, SIGHUP does", server.error().text());
  }
}

ReloadAnswer AgentProcess::reload(const ReloadRequest& request) {
  using Result = ReloadAnswer::Result;
  const auto answer = [this](Result result, std::string message) {
    if (result == Result::kRefused) log_.error("agent", "{}: the old configuration goes on", message);
    return ReloadAnswer{result, std::move(message), {}, {}};
  };
  if (!request.dry_run) log_.info("agent", "reloading the configuration");
  if (!request.paths.empty() && !request.dry_run && request.paths != absolute_paths(options_.config_paths)) {
    return answer(Result::kRefused, fmt::format("this agent runs from other files: {}",
                                                fmt::join(absolute_paths(options_.config_paths), ", ")));
  }
  LoadedConfig loaded =
      load_config(request.paths.empty() ? options_.config_paths : request.paths, Environment::of_process());
  const std::string diagnostics = render(loaded.diagnostics);
  if (!request.dry_run) fmt::print(stderr, "{}", diagnostics);
  if (!loaded.config) {
    if (!request.dry_run) log_.error("agent", "the new configuration has errors: the old one goes on");
    return {Result::kInvalid, "the new configuration has errors", diagnostics, {}};
  }
  const Config& next = *loaded.config;
  if (next.data_dir != config_.data_dir) {
    return answer(Result::kRefused, fmt::format("data_dir cannot change while the agent runs, from {} to {}: "
                                                "stop it and start it anew",
                                                config_.data_dir, next.data_dir));
  }
  Difference changes = difference(config_, next);
  if (request.dry_run) return {Result::kDryRun, "", diagnostics, std::move(changes)};
  std::istringstream text(to_text(changes));
  for (std::string line; std::getline(text, line);) log_.info("reload", "{}", line);
  if (!request.force) {
    if (const auto there = check_new_peers(config_, next, kPeerPatience); !there)
      return answer(Result::kRefused, there.error().text());
  }
  if (const auto changed = change_to(next); !changed) return answer(Result::kRefused, changed.error().text());
  log_.info("agent", "the new configuration runs");
  return {Result::kApplied, "", diagnostics, std::move(changes)};
}

Result<void> AgentProcess::change_to(const Config& next) {
  const bool moves = next.api != config_.api;
  std::unique_ptr<ApiServer> api;
  if (moves) {
    if (auto made = replace_api(next, api); !made) return made;
  }
  if (auto applied = topology_->apply(next, kReloadPatience); !applied) {
    if (config_.api.enabled && !api_) {
      api.reset();
      auto again = make_api(config_);
      if (again) {
        api_ = std::move(*again);
      } else {
        log_.error("agent", "{}", again.error().text());
      }
    }
    Error error = applied.error();
    error.message = "the new configuration does not start: " + error.message;
    return error;
  }
  runs(next);
  log_.configure(next.log_level, next.log_format);
  if (moves) api_ = std::move(api);
  return {};
}

// The next signal; reloads that are asked for, and files that changed, are dealt with meanwhile. 0 when it is
// time to look at the progress.
int AgentProcess::wait() {
  std::array<pollfd, 3> fds{
      {{signals_.fd(), POLLIN, 0}, {reloads_.fd(), POLLIN, 0}, {watch_ ? watch_->fd() : -1, POLLIN, 0}}};
  for (;;) {
    if (const int signal = signals_.next(); signal != 0) return signal;
    reloads_.serve([this](const ReloadRequest& request) { return reload(request); });
    if (watch_ && watch_->look(steady_now())) (void)reload({});
    if (!topology_->intact()) return SIGTERM;
    TimePoint until = watch_ ? watch_->next_look() : kNever;
    if (options_.until_eof) until = std::min(until, steady_now() + kUntilEofLook);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_now()).count();
    const int ready = ::poll(fds.data(), fds.size(),
                             until == kNever ? -1 : static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready == 0 && options_.until_eof) return 0;
  }
}

int AgentProcess::run() {
  const std::optional<Config> config = load();
  if (!config) return kExitConfiguration;
  log_.configure(config->log_level, config->log_format);
  raise_file_limit();

  auto store = CheckpointStore::open(config->data_dir);
  if (!store) {
    log_.error("agent", "{}", store.error().text());
    return kExitFailure;
  }
  store_ = std::move(*store);
  if (options_.temporary) (void)store_->keep_for_this_run_only();  // a refusal costs time, nothing else
  if (!store_->quarantined().empty()) {
    log_.error("checkpoints",
               "the checkpoint store was damaged: kept as {}, what could be read of it is used",
               store_->quarantined());
  }
  checkpoint_health_ = std::make_unique<HealthEntry>(health_, "checkpoints", "core", "sqlite");
  checkpointer_ = std::make_unique<Checkpointer>(*store_, metrics_, *checkpoint_health_, log_);
  checkpointer_->start();
  journal_ = std::make_unique<AuditJournal>(posix_disk(), config->data_dir, metrics_, log_);
  journal_->configure(config->audit);  // before anything is read
  audits_ = std::make_unique<AuditService>(
      config->data_dir, AuditService::Running{checkpointer_.get(), &in_flight_, journal_.get()});
  auto api = make_api(*config);
  if (api) api_ = std::move(*api);
  const Result<void> begun = api ? start(*config) : Result<void>(api.error());
  if (!begun) {
    log_.error("agent", "{}", begun.error().text());
    return kExitFailure;
  }
  log_.info("agent", "logflume {} runs: {} sources, {} sinks", LOGFLUME_VERSION, config_.sources.size(),
            config_.sinks.size());

  std::optional<Progress> progress;
  if (options_.until_eof) progress.emplace("reading");
  start_control();
  if (options_.watch_config) watch_ = std::make_unique<ConfigWatch>(options_.config_paths);
  if (!options_.until_eof) release_start_pages();
  for (;;) {
    const int signal = wait();
    if (signal == SIGHUP && !options_.config) {
      (void)reload({});  // its outcome is in the log
    } else if (signal != 0) {
      log_.info("agent", "stopping: up to {} s for what was read",
                config_.shutdown_timeout.count() / 1'000'000'000);
      break;
    } else {
      const Topology::Progress now = topology_->progress();
      const std::uint64_t all = now.bytes_read + now.bytes_unread;
      progress->update(now.bytes_read, all == 0 ? std::nullopt
                                                : std::optional(static_cast<double>(now.bytes_read) /
                                                                static_cast<double>(all)));
      if (topology_->exhausted()) break;
    }
  }
  watch_.reset();
  reloads_.close();
  control_.reset();
  if (progress) {
    if (topology_->exhausted()) progress->update(topology_->progress().bytes_read, 1.0);
    progress->finish();
  }
  const bool left_something = topology_->left_something();
  if (left_something) log_.error("agent", "not everything could be read: see the messages above");
  const bool clean = topology_->stop(config_.shutdown_timeout, [this] { return stop_at_once(); });
  const bool intact = topology_->intact();
  topology_.reset();
  api_.reset();
  const auto committed = checkpointer_->stop();
  const bool reader_left = options_.config && all_given_up_.load();
  return (clean || reader_left) && committed && !left_something && intact ? kExitOk : kExitFailure;
}

// Asked while what was read is delivered: whoever says it twice does not want to wait.
bool AgentProcess::stop_at_once() {
  const int signal = signals_.next();
  // Those that gave up send a signal, and are not waited for.
  return (signal == SIGTERM || signal == SIGINT) && !all_given_up_.load();
}

}  // namespace

int run_agent(AgentOptions options) { return AgentProcess(std::move(options)).run(); }

}  // namespace logflume
