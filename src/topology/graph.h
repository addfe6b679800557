// The components that run, and their change from one configuration to the next.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "topology/sink_unit.h"
#include "topology/source_unit.h"

namespace logflume {

// Threads:   the topology's, but metrics and a sink that gives up, which look at the sinks.
// Invariant: between two changes every source that is there feeds at least one sink.
class Graph {
 public:
  // By component: the name that it had.
  using FormerNames = std::map<std::string, std::string>;
  using Sinks = std::map<std::string, std::unique_ptr<SinkUnit>>;
  using Sources = std::map<std::string, std::unique_ptr<SourceUnit>>;

  Graph(const Config& config, Services services, bool until_eof);
  ~Graph();

  // Opens what `next` wants and is not there, after it has ended what `next` does not want, or wants
  // otherwise. What is new does not run yet: run(). On an error some components are missing, and some that
  // `next` wants may be there: change() back makes it right.
  Result<void> change(const Config& next, const FormerNames& formerly, Duration patience);
  void run();
  void stop_threads();

  Shared& shared() { return shared_; }
  const Sinks& sinks() const { return sinks_; }
  const Sources& sources() const { return sources_; }
  bool all_acknowledged() const;

 private:
  struct Going {
    std::vector<SinkUnit*> sinks;
    std::vector<SourceUnit*> sources;
  };
  using Loop = std::shared_ptr<EventLoop>;
  using Way = std::pair<std::string, std::string>;  // source, sink

  Going going(const Config& next) const;
  bool wanted(const Config& next, const std::string& source) const;
  Result<std::map<std::string, Loop>> source_loops(const Config& next) const;
  Result<Loop> loop_for(const std::string& sink, const Config& next,
                        const std::map<std::string, Loop>& loops) const;
  bool needs_stored(const Config& next) const;
  Result<void> open_beside(const Config& next, const FormerNames& formerly, bool some_go,
                           const std::map<std::string, Loop>& loops);
  Result<void> open_sink(const std::string& name, const Config& next, CheckpointContent& stored,
                         const std::map<std::string, Loop>& loops);
  Result<void> open_source(const std::string& name, const Config& next, const FormerNames& formerly,
                           const CheckpointContent& stored, const std::map<std::string, Loop>& loops);
  void end(const Going& going, Duration patience);
  void reconnect(const Config& next, const FormerNames& formerly, const CheckpointContent& stored);
  std::unique_ptr<Passage> passage(const std::string& source, const Config& next, EventLoop& loop);
  Outlet outlet(SinkUnit& sink, const std::string& source, const FormerNames& formerly) const;
  void settle(const Config& next, const FormerNames& formerly);
  std::size_t memory_for_sinks() const;
  // Any thread.
  void share_out();
  Result<CheckpointContent> stored();
  FileLimits limits(const Config& config) const;
  std::unique_ptr<SinkUnit> take_sink(const std::string& name);
  void gave_up();
  void show_metrics(MetricPage& page);

  Shared shared_;
  const bool until_eof_;
  mutable std::mutex mutex_;  // held to change sinks_, and to look at it from another thread
  Sinks sinks_;
  Sources sources_;
  std::map<Way, SinkUnit*> ways_;        // who feeds whom
  std::set<std::string> known_sources_;  // whose ways to sinks may be open
  std::vector<std::unique_ptr<HealthEntry>> transforms_;
  // Of sources that have ended: for those that take their place. Kept as long as something is delivered
  // still.
  std::map<std::string, SourceLegacy> legacies_;
  std::vector<std::unique_ptr<SinkUnit>> ended_;  // until nothing refers to them any more
  std::shared_ptr<MetricRegistry::Collector> collector_;
};

}  // namespace logflume
