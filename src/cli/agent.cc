#include "cli/agent.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/api_server.h"
#include "checkpoint/checkpointer.h"
#include "cli/config_files.h"
#include "cli/exit_codes.h"
#include "cli/progress.h"
#include "telemetry/process_metrics.h"
#include "topology/topology.h"

namespace logflume {
namespace {

constexpr Duration kReloadPatience = 5s;  // semantics 20
constexpr Duration kUntilEofLook = 2ms;

// Signals are taken by the main thread alone, one after the other.
class Signals {
 public:
  // `reloads`: SIGHUP is a request. Otherwise it says that the terminal is gone, unless nohup has it ignored.
  explicit Signals(bool reloads) {
    ::sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT}) ::sigaddset(&set_, signal);
    struct sigaction hangup {};
    ::sigaction(SIGHUP, nullptr, &hangup);
    if (reloads || hangup.sa_handler != SIG_IGN) ::sigaddset(&set_, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    for (const int signal : {SIGPIPE, SIGXFSZ}) ::signal(signal, SIG_IGN);  // EPIPE and EFBIG say the same
  }
  // The next signal; 0 when none came within `timeout` (nullopt: wait).
  int next(std::optional<Duration> timeout) {
    if (!timeout) {
      int signal = 0;
      return ::sigwait(&set_, &signal) == 0 ? signal : 0;
    }
    const timespec t{timeout->count() / 1'000'000'000, timeout->count() % 1'000'000'000};
    const int signal = ::sigtimedwait(&set_, nullptr, &t);
    return signal > 0 ? signal : 0;
  }

 private:
  sigset_t set_{};
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
  Result<void> start(const Config& config);
  void runs(const Config& config);
  Result<std::unique_ptr<ApiServer>> make_api(const Config& config);
  Result<void> replace_api(const Config& next, std::unique_ptr<ApiServer>& made);
  bool reload();
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
  std::unique_ptr<ApiServer> api_;
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
  auto topology = Topology::build(config,
                                  {metrics_, health_, log_, *store_, *checkpointer_, on_all_given_up,
                                   !options_.temporary, options_.config.has_value()},
                                  options_.until_eof);
  if (!topology) return topology.error();
  topology_ = std::move(*topology);
  topology_->start();
  runs(config);
  return {};
}

void AgentProcess::runs(const Config& config) {
  config_ = config;
  const std::lock_guard lock(listen_mutex_);
  listen_ = config.api.listen;
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

// True when the agent goes on, with the new configuration or the old one.
bool AgentProcess::reload() {
  log_.info("agent", "reloading the configuration");
  const std::optional<Config> next = load();
  if (!next) {
    log_.error("agent", "the new configuration has errors: the old one goes on");
    return true;
  }
  if (next->data_dir != config_.data_dir) {
    log_.error("agent", "data_dir cannot change while the agent runs: the old configuration goes on");
    return true;
  }
  const bool moves = next->api.enabled != config_.api.enabled || next->api.listen != config_.api.listen;
  std::unique_ptr<ApiServer> api;
  if (moves) {
    if (const auto made = replace_api(*next, api); !made) {
      log_.error("agent", "{}: the old configuration goes on", made.error().text());
      return true;
    }
  }
  if (const auto applied = topology_->apply(*next, kReloadPatience); !applied) {
    log_.error("agent", "the new configuration does not start: {}: the old configuration goes on",
               applied.error().text());
    if (!topology_->intact()) return false;
    if (config_.api.enabled && !api_) {
      api.reset();
      auto again = make_api(config_);
      if (!again) {
        log_.error("agent", "{}", again.error().text());
        return false;
      }
      api_ = std::move(*again);
    }
    return true;
  }
  runs(*next);
  log_.configure(next->log_level, next->log_format);
  if (moves) api_ = std::move(api);
  log_.info("agent", "the new configuration runs");
  return true;
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
  if (!store_->quarantined().empty()) {
    log_.error("checkpoints",
               "the checkpoint store was damaged: kept as {}, what could be read of it is used",
               store_->quarantined());
  }
  checkpoint_health_ = std::make_unique<HealthEntry>(health_, "checkpoints", "core", "sqlite");
  checkpointer_ = std::make_unique<Checkpointer>(*store_, metrics_, *checkpoint_health_, log_);
  checkpointer_->start();
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
  for (;;) {
    const int signal = signals_.next(options_.until_eof ? std::optional(kUntilEofLook) : std::nullopt);
    if (signal == SIGHUP && !options_.config) {
      if (!reload()) return kExitFailure;
    } else if (signal != 0) {
      log_.info("agent", "stopping: up to {} s for what was read",
                config_.shutdown_timeout.count() / 1'000'000'000);
      break;
    } else if (options_.until_eof) {
      const Topology::Progress now = topology_->progress();
      const std::uint64_t all = now.bytes_read + now.bytes_unread;
      progress->update(now.bytes_read, all == 0 ? std::nullopt
                                                : std::optional(static_cast<double>(now.bytes_read) /
                                                                static_cast<double>(all)));
      if (topology_->exhausted()) break;
    }
  }
  if (progress) {
    if (topology_->exhausted()) progress->update(topology_->progress().bytes_read, 1.0);
    progress->finish();
  }
  const bool left_something = topology_->left_something();
  if (left_something) log_.error("agent", "not everything could be read: see the messages above");
  const bool clean = topology_->stop(config_.shutdown_timeout, [this] { return stop_at_once(); });
  topology_.reset();
  api_.reset();
  const auto committed = checkpointer_->stop();
  const bool reader_left = options_.config && all_given_up_.load();
  return (clean || reader_left) && committed && !left_something ? kExitOk : kExitFailure;
}

// Asked while what was read is delivered: whoever says it twice does not want to wait.
bool AgentProcess::stop_at_once() {
  const int signal = signals_.next(Duration::zero());
  // Those that gave up send a signal, and are not waited for.
  return (signal == SIGTERM || signal == SIGINT) && !all_given_up_.load();
}

}  // namespace

int run_agent(AgentOptions options) { return AgentProcess(std::move(options)).run(); }

}  // namespace logflume
