// Hands pieces of files to the sinks that stand where they begin: the convoy, and who left it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "checkpoint/audit_journal.h"
#include "source/file_records.h"
#include "source/line_reader.h"
#include "source/source.h"
#include "source/tailed_file.h"

namespace logflume {

// Sinks that stand at one position of a file share one read. A sink whose buffer stays full for kGrace leaves
// the convoy: nobody waits for it any more, it reads again from its own cursor when it has room, and shares
// again where positions meet.
//
// Threads: the source's; all_acknowledged() from any.
class Feeder final : public PieceSink {
 public:
  static constexpr Duration kGrace = std::chrono::milliseconds(50);

  struct Group {
    std::uint64_t position = 0;
    std::uint64_t limit = 0;  // where the next sink stands
    Seam seam;
    std::span<const std::size_t> members;  // outlets with room; valid until the next plan()
  };
  using Groups = std::vector<Group>;

  Feeder(SourceContext& context, FileRecords& records, bool strip_cr);
  ~Feeder() override;
  void open();

  // Sinks come and go. The way to one that is paused is kept, and is not used until it is connected anew.
  void pause(std::size_t index);
  bool paused(std::size_t index) const { return states_[index].paused; }
  // The outlet at `index` is new there.
  void connect(std::size_t index);
  // The outlet at `index` is about to go, or another is to take its place.
  void disconnect(std::size_t index);
  void erase(std::size_t index);

  // `groups`: those that can be fed now, those who are behind first. True when a sink has no room: `content`
  // is to be looked at again when room_returned(), or at retry_at().
  bool plan(const TailedFile& file, TimePoint now, Groups& groups);
  TimePoint retry_at(TimePoint now) const;

  // The next pieces taken are of `file`, for `group`.
  void begin(TailedFile& file, const Group& group, TimePoint now);
  bool take(Piece&& piece) override;
  // What was taken since begin().
  FileRange fed_range() const { return fed_; }

  // What transforms have done with pieces goes on to the sinks; how many.
  std::size_t hand_on() { return context_.passage ? context_.passage->hand_on(context_.outlets) : 0; }
  bool has_done() const { return context_.passage && context_.passage->has_done(); }
  bool nothing_on_its_way() const { return !context_.passage || context_.passage->empty(); }
  // What transforms have in their hands goes to the sinks that it was meant for.
  void drain();
  // Also what they keep back to make other events of it.
  void finish();
  // The same for a sink that is about to go.
  void finish(const std::string& sink);
  // Nothing follows in any file: what transforms keep back to join it with that goes on. False: there is no
  // room for all of it.
  bool close_all();
  // After what time without new bytes transforms want to hear of a file that it is quiet; nothing: never.
  std::optional<Duration> holds_for() const {
    return context_.passage ? context_.passage->holds_for() : std::nullopt;
  }
  // All of it was read, and it has been quiet for so long. After what quiet to tell again; nothing: never.
  std::optional<Duration> quiet(const LogContent& content, Duration quiet);
  // hand_on() has something to do then.
  TimePoint hand_on_at(TimePoint now) const {
    return context_.passage ? context_.passage->deadline(now) : kNever;
  }
  // Other transforms from the next piece on; null: none.
  void set_passage(std::unique_ptr<Passage> passage);

  // Some sink that was full has room.
  bool room_returned() const;
  bool take_room_returned(TimePoint now);
  // Tells the sinks what was fed since the last call.
  void wake_sinks();
  bool all_acknowledged() const;

 private:
  struct State {
    bool full = false;       // found without room, and not looked at since it had some
    bool ring_full = false;  // nobody tells when that changes
    bool lagging = false;    // left the convoys
    bool fed = false;        // to be woken
    bool paused = false;     // its sink is about to go, or another comes in its place
    bool blocked = false;    // in this plan()
    TimePoint full_since{};
    TimePoint room_since{};
  };
  bool has_room(std::size_t index) const;
  bool look_for_room(std::size_t index, TimePoint now);
  // What stands at `position` has just been written: the file is not behind, and no sink has got it yet.
  static bool is_live(const TailedFile& file, std::uint64_t position);

  void count_cut(const char* reason, std::uint32_t events);
  // What a batch owes and does not show.
  void note_skipped(const Batch& batch);

  SourceContext& context_;
  FileRecords& records_;
  const bool strip_cr_;
  Counter& truncated_events_;
  const std::shared_ptr<JournalFeed> journal_;  // null: nobody keeps one
  std::vector<State> states_;
  std::vector<std::size_t> members_;  // of the groups of the last plan()
  TailedFile* file_ = nullptr;
  const Group* group_ = nullptr;
  FileRange fed_;
  bool passage_full_ = false;   // found without room, and not looked at since it had some
  bool room_returned_ = false;  // seen while one file was looked at; the others have yet to be told
  std::int64_t wall_ns_ = 0;
  TimePoint now_{};
};

}  // namespace logflume
