#include "transform/held_events.h"

#include <gmock/gmock.h>

#include <random>

#include "transform/transform_test_fixture.h"
#include "transform/window.h"

namespace logflume {
namespace {

AnyTransformConfig joining(const std::string& input, const std::string& start) {
  return test_transform("multiline", input, {{"start_pattern", start}});
}

// A file, two sinks that get events of it, and what these do with them: as a source and an agent would.
class World {
 public:
  World(const TransformPlan::Transforms& transforms, const TransformPlan::Sinks& sinks)
      : plan_(std::get<std::shared_ptr<const TransformPlan>>(TransformPlan::compile(transforms, sinks))) {
    for (const auto& [name, sink] : sinks) {
      ledgers_.push_back(std::make_unique<SinkLedger>(name, std::size_t{1} << 30, [] {}));
      lanes_.push_back(std::make_unique<Lanes>());
      outlets_.push_back({name, ledgers_.back().get(), lanes_.back().get(), &parker_, {}});
      cursors_.emplace_back(new Cursor(*ledgers_.back(), 7, 0, Seam()));
    }
    got.resize(sinks.size());
    pending_.resize(sinks.size());
    begin(plan_);
  }
  void begin(const std::shared_ptr<const TransformPlan>& plan) {
    auto next = std::make_unique<TransformWindow>(
        std::make_shared<const Pipeline>(plan, "app", StageServices{"host", metrics_, log_}), metrics_, log_,
        workers_, budget_, parker_);
    if (window_) {
      window_->drain(outlets_);
      next->take_over(*window_);
      window_->finish(outlets_);
    }
    window_ = std::move(next);
  }
  void write(const std::string& text) { file_ += text; }
  const std::string& file() const { return file_; }
  // The sinks at the place of the first of `sinks` are given up to `lines` lines.
  void read(std::size_t sink, std::size_t lines) {
    const std::uint64_t from = cursors_[sink]->fed_offset;
    std::vector<Passage::Member> members;
    std::uint64_t limit = file_.size();
    for (std::size_t i = 0; i < cursors_.size(); ++i) {
      if (cursors_[i]->fed_offset == from) members.push_back({i, cursors_[i]});
      if (cursors_[i]->fed_offset > from) limit = std::min(limit, cursors_[i]->fed_offset);
    }
    std::uint64_t to = from;
    for (; lines > 0 && to < limit; --lines) to = file_.find('\n', to) + 1;
    if (to == from) return;
    texts_.push_back(file_.substr(from, to - from) + std::string(Slab::kPadBytes, '\0'));
    auto* const batch = new Batch;
    const BatchRef shared(batch);
    batch->data = texts_.back().data();
    batch->bytes = to - from;
    batch->events =
        static_cast<std::uint32_t>(std::count(file_.begin() + static_cast<std::ptrdiff_t>(from),
                                              file_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    batch->origin = std::make_shared<Origin>(Origin{"app", "/a.log", 7});
    batch->owed = batch->in_file = {from, to};
    batch->text_begin = from;
    batch->seam = seam_at(to);
    batch->seam_before = seam_at(from);
    const bool again = from < received_to_;
    received_to_ = std::max(received_to_, to);
    for (const Passage::Member& member : members) {
      ledgers_[member.outlet]->charge(batch->charged_bytes());
      EXPECT_EQ(member.cursor->fed_seam.view(), seam_at(from).view()) << "as the file has it there";
      member.cursor->fed_offset = to;
      member.cursor->fed_seam = batch->seam;
    }
    window_->take(shared, std::move(members), again, false);
  }
  // What has come to the sink's lane is taken out.
  void take(std::size_t sink) {
    window_->drain(outlets_);
    while (!lanes_[sink]->empty()) {
      const bool behind = lanes_[sink]->has_backlog();
      std::optional<Delivery> taken = lanes_[sink]->try_pop_live();
      if (!taken && behind) taken = lanes_[sink]->try_pop_backlog();
      const Batch& batch = *taken->batch;
      for (std::size_t i = 0; i < batch.events; ++i) {
        EXPECT_NE(batch.view, nullptr);
        got[sink].emplace_back(batch.view->line(i));
      }
      EXPECT_LE(batch.acknowledged_bytes(), batch.owed.bytes());
      EXPECT_TRUE(batch.owed.bytes() == 0 || batch.seam.view() == seam_at(batch.owed.end).view());
      pending_[sink].push_back(std::move(*taken));
    }
  }
  // The sink acknowledges the delivery at this place among those that it has.
  void acknowledge(std::size_t sink, std::size_t at) {
    const Delivery delivery = std::move(pending_[sink][at]);
    pending_[sink].erase(pending_[sink].begin() + static_cast<std::ptrdiff_t>(at));
    ledgers_[sink]->acknowledge({&delivery, 1});
  }
  std::size_t pending(std::size_t sink) const { return pending_[sink].size(); }
  void acknowledge_all(std::size_t sink) {
    while (pending(sink) > 0) acknowledge(sink, 0);
  }
  // The file is quiet.
  std::optional<Duration> quiet(Duration quiet = 1s) {
    std::vector<Passage::Member> members;
    for (std::size_t i = 0; i < cursors_.size(); ++i) {
      if (cursors_[i]->fed_offset == file_.size()) members.push_back({i, cursors_[i]});
    }
    return window_->quiet(members, quiet, outlets_);
  }
  void give_back() {
    window_->drain(outlets_);
    window_->finish(outlets_);
  }
  // The agent is killed, and starts again.
  void kill() {
    window_ = nullptr;
    for (std::size_t i = 0; i < cursors_.size(); ++i) {
      const std::uint64_t acked = cursors_[i]->acked_offset();
      pending_[i].clear();
      lanes_[i] = std::make_unique<Lanes>();
      ledgers_[i] = std::make_unique<SinkLedger>(outlets_[i].sink, std::size_t{1} << 30, [] {});
      outlets_[i].ledger = ledgers_[i].get();
      outlets_[i].lanes = lanes_[i].get();
      cursors_[i] = CursorRef(new Cursor(*ledgers_[i], 7, acked, seam_at(acked)));
    }
    begin(plan_);
  }
  std::uint64_t acked(std::size_t sink) const { return cursors_[sink]->acked_offset(); }
  std::uint64_t fed(std::size_t sink) const { return cursors_[sink]->fed_offset; }
  void expect_nothing_in_flight() {
    window_->drain(outlets_);
    for (const auto& ledger : ledgers_) {
      EXPECT_EQ(ledger->inflight_batches(), 0U);
      EXPECT_EQ(ledger->inflight_bytes(), 0U);
    }
  }
  std::size_t memory() const { return budget_.used_bytes(); }
  const std::shared_ptr<const TransformPlan>& plan() const { return plan_; }
  const CheckpointChanges changes(std::size_t sink) {
    CheckpointChanges changes;
    ledgers_[sink]->take(changes);
    return changes;
  }

  std::vector<std::vector<std::string>> got;  // by sink

 private:
  Seam seam_at(std::uint64_t at) const { return Seam::before(file_.data() + at, at); }

  MetricRegistry metrics_;
  Log log_{LogLevel::kOff};
  WorkerPool workers_{2};
  MemoryBudget budget_{std::size_t{1} << 30};
  Parker parker_;
  const std::shared_ptr<const TransformPlan> plan_;
  std::vector<std::unique_ptr<SinkLedger>> ledgers_;
  std::vector<std::unique_ptr<Lanes>> lanes_;
  std::vector<Outlet> outlets_;
  std::vector<CursorRef> cursors_;
  std::string file_;
  std::uint64_t received_to_ = 0;
  std::deque<std::string> texts_;
  std::unique_ptr<TransformWindow> window_;
  std::vector<std::vector<Delivery>> pending_;
};

const TransformPlan::Sinks kOneSink{{"out", {{"m"}, {}}}};
using Lines = std::vector<std::string>;
using testing::ElementsAre;

TEST(HeldEventsTest, WhatIsOpenIsNotAcknowledged) {
  World world({{"m", joining("app", "^[A-Z]")}}, kOneSink);
  world.write("A\na\nB\nb\n");
  world.read(0, 4);
  world.take(0);
  world.acknowledge_all(0);
  EXPECT_THAT(world.got[0], ElementsAre("A\na"));
  EXPECT_EQ(world.acked(0), 4U) << "up to where the open one begins";
  world.write("bb\n");
  world.read(0, 1);
  world.take(0);
  EXPECT_THAT(world.got[0], ElementsAre("A\na"));
  world.expect_nothing_in_flight();
  EXPECT_EQ(world.quiet(1ms), 1s) << "not yet";
  EXPECT_EQ(world.quiet(), std::nullopt);
  world.take(0);
  EXPECT_THAT(world.got[0], ElementsAre("A\na", "B\nb\nbb"));
  world.acknowledge_all(0);
  EXPECT_EQ(world.acked(0), world.file().size());
  EXPECT_EQ(world.memory(), 0U);
  const CheckpointChanges changes = world.changes(0);
  ASSERT_EQ(changes.cursors.size(), 1U);
  EXPECT_EQ(changes.cursors[0].delivered_bytes, world.file().size()) << "each byte counts once";
}

TEST(HeldEventsTest, WhatIsGivenBackComesAgain) {
  World world({{"m", joining("app", "^[A-Z]")}}, kOneSink);
  world.write("A\na\nB\nb\n");
  world.read(0, 3);
  world.read(0, 1);
  world.take(0);
  world.give_back();
  EXPECT_EQ(world.fed(0), 4U);
  world.write("C\n");
  world.read(0, 3);
  world.take(0);
  world.acknowledge_all(0);
  EXPECT_THAT(world.got[0], ElementsAre("A\na", "B\nb"));
  EXPECT_EQ(world.acked(0), 8U);
}

TEST(HeldEventsTest, AReloadMovesWhatItLeavesAsItIs) {
  World world({{"m", joining("app", "^[A-Z]")}}, kOneSink);
  world.write("A\na\nb\n");
  world.read(0, 2);
  const auto same = std::get<std::shared_ptr<const TransformPlan>>(
      TransformPlan::compile({{"m", joining("app", "^[A-Z]")},
                              {"f", test_transform("filter", "m", {{"condition", std::string("true")}})}},
                             {{"out", {{"f"}, {}}}}));
  world.begin(same->with_state_of(*world.plan()));
  EXPECT_EQ(world.fed(0), 4U) << "nothing was given back";
  world.read(0, 1);
  EXPECT_EQ(world.quiet(), std::nullopt);
  world.take(0);
  EXPECT_THAT(world.got[0], ElementsAre("A\na\nb"));
  const auto other = std::get<std::shared_ptr<const TransformPlan>>(
      TransformPlan::compile({{"m", joining("app", "^[A-Z0]")}}, kOneSink));
  world.write("B\nb\n");
  world.read(0, 2);
  world.begin(other->with_state_of(*same));
  EXPECT_EQ(world.fed(0), 6U) << "it is another transform: its lines come again";
}

TEST(HeldEventsTest, AFilterBehindItMayLeaveNothing) {
  World world({{"m", joining("app", "^[A-Z]")},
               {"f", test_transform("filter", "m", {{"condition", std::string("message.contains('x')")}})}},
              {{"out", {{"f"}, {}}}});
  world.write("A\na\nB\nx\nC\n");
  for (int i = 0; i < 5; ++i) world.read(0, 1);
  EXPECT_EQ(world.quiet(), std::nullopt);
  world.take(0);
  world.acknowledge_all(0);
  EXPECT_THAT(world.got[0], ElementsAre("B\nx"));
  EXPECT_EQ(world.acked(0), world.file().size());
  world.expect_nothing_in_flight();
}

// Goal: over kills, sinks that are behind, reloads and acknowledgements in any order no event is lost or cut;
// and where deliveries are acknowledged in their order, before a kill or not at all, none comes twice.
// Method: one step that joins lines, random events, random moves; then everything is let through.
TEST(HeldEventsTest, EventsComeWholeWhateverHappens) {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    std::mt19937 random(seed);
    const bool in_order = seed % 2 == 0;
    World world({{"m", joining("app", "^[A-Z]")}}, {{"a", {{"m"}, {}}}, {"b", {{"m"}, {}}}});
    Lines expected;
    const auto write = [&] {
      std::string event =
          std::string(1, static_cast<char>('A' + random() % 26)) + std::to_string(expected.size());
      for (std::size_t more = random() % 4; more > 0; --more)
        event += "\nline " + std::string(random() % 60, 'x');
      expected.push_back(event);
      world.write(event + '\n');
    };
    for (int move = 0; move < 60; ++move) {
      const std::size_t sink = random() % 2;
      switch (random() % 8) {
        case 0:
        case 1:
          write();
          break;
        case 2:
        case 3:
        case 4:
          world.read(sink, 1 + random() % 5);
          break;
        case 5:
          world.take(sink);
          while (world.pending(sink) > 0 && (in_order || random() % 4 != 0))
            world.acknowledge(sink, in_order ? 0 : random() % world.pending(sink));
          break;
        case 6:
          if (in_order) {
            for (std::size_t each = 0; each < 2; ++each) {
              world.take(each);
              world.acknowledge_all(each);
            }
          }
          if (random() % 3 == 0) world.kill();
          break;
        case 7:
          if (random() % 2 == 0) world.give_back();
          break;
      }
    }
    for (std::size_t sink = 0; sink < 2; ++sink) {
      while (world.fed(sink) < world.file().size()) world.read(sink, 3);
    }
    EXPECT_EQ(world.quiet(), std::nullopt);
    for (std::size_t sink = 0; sink < 2; ++sink) {
      world.take(sink);
      world.acknowledge_all(sink);
      EXPECT_EQ(world.acked(sink), world.file().size());
      if (in_order) {
        ASSERT_EQ(world.got[sink], expected) << seed;
      } else {
        const std::set<std::string> whole(expected.begin(), expected.end());
        const std::set<std::string> got(world.got[sink].begin(), world.got[sink].end());
        ASSERT_EQ(got, whole) << seed << ": each came, and nothing that is cut";
      }
    }
    world.expect_nothing_in_flight();
  }
}

// Goal: the same where events of several steps, and lines that none joins, come to one sink: none is lost.
TEST(HeldEventsTest, SeveralStepsOnTheWayToASinkLoseNothing) {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    std::mt19937 random(seed);
    World world({{"r", test_transform(
                           "route", "app",
                           {{"routes", std::map<std::string, std::string>{{"e", "message.contains('e')"},
                                                                          {"o", "message.contains('o')"}}}})},
                 {"m", joining("r.e", "^[A-Z]")},
                 {"n", joining("r.o", "^[A-Z]")}},
                {{"a", {{"m", "n", "r._unmatched"}, {}}}});
    std::string open[2];
    std::vector<std::string> begun[3];
    int number = 0;
    for (int move = 0; move < 80; ++move) {
      switch (random() % 6) {
        case 0:
        case 1: {
          const std::size_t kind = random() % 3;
          const std::string mark(1, "eou"[kind]);
          std::string line = (random() % 2 == 0 ? "L" : "l") + mark + std::to_string(number++);
          world.write(line + '\n');
          begun[kind].push_back(line);
          break;
        }
        case 2:
        case 3:
          world.read(0, 1 + random() % 3);
          break;
        case 4:
          world.take(0);
          while (world.pending(0) > 0 && random() % 4 != 0) world.acknowledge(0, random() % world.pending(0));
          break;
        case 5:
          if (random() % 4 == 0) world.kill();
          break;
      }
    }
    while (world.fed(0) < world.file().size()) world.read(0, 3);
    EXPECT_EQ(world.quiet(), std::nullopt);
    world.take(0);
    world.acknowledge_all(0);
    EXPECT_EQ(world.acked(0), world.file().size());
    world.expect_nothing_in_flight();
    const std::set<std::string> got(world.got[0].begin(), world.got[0].end());
    for (const std::string& line : begun[2]) ASSERT_TRUE(got.contains(line)) << seed << ": " << line;
    for (std::size_t kind = 0; kind < 2; ++kind) {
      std::string event;
      const auto expect = [&] { ASSERT_TRUE(event.empty() || got.contains(event)) << seed << ": " << event; };
      for (const std::string& line : begun[kind]) {
        if (line[0] == 'L') {
          expect();
          event = line;
        } else {
          event += (event.empty() ? "" : "\n") + line;
        }
      }
      expect();
    }
  }
}

}  // namespace
}  // namespace logflume
