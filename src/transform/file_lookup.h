// Stages that look each event up in a file, and give it fields of what they find there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transform/transform.h"
#include "transform/value_reader.h"
#include "transform/watched_file.h"

namespace logflume {

constexpr std::uint64_t kLookupBytesMost = std::uint64_t{1} << 30;  // offsets of texts have 31 bits

// What becomes of an event that is not found.
enum class OnMissing { kKeep, kDrop };

// T: what is made of the file. T::text() is what the cells' texts are views of, as long as it.
// Self, a stage that derives from this, has:
//   std::string told(const T&)     what the file is, for the log
//   void taken()                   file() is another one than before
//   bool add(index, row, in, report)   gives row in.rows[index] its fields by give(); false: it is not found
//
// Threads: one.
template <typename Self, typename T>
class FileLookupStage : public Stage {
 public:
  void run(const Frame& in, std::span<Frame> out, StageReport& report) final {
    Self& self = static_cast<Self&>(*this);
    Frame& frame = out[0];
    take(in, report);
    columns_.begin(file_ ? file_->text() : in.batch->text(), in.lines->size());
    std::ranges::fill(places_, SIZE_MAX);
    key_.begin(in);
    std::uint64_t found = 0;
    for (std::size_t i = 0; i < in.rows.size(); ++i) {
      const std::uint32_t row = in.rows[i];
      if (self.add(i, row, in, report)) {
        ++found;
      } else if (drops_) {
        ++report.discarded;
        continue;
      }
      frame.rows.push_back(row);
    }
    if (!in.again) {
      found_.add(found);
      missed_.add(in.rows.size() - found);
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const Column& column = columns_.at(i);
      if (column.present() == 0) continue;
      frame.put({{}, column.name(), &columns_, &column, in.find(column.name())});
      if (column.name() == kMessageField && column.dense(in.lines->size())) frame.message_is_line = false;
    }
  }

  // What is made of the file is there once, whoever uses it.
  std::size_t memory_bytes() const override { return columns_.memory_bytes() + key_.memory_bytes(); }

 protected:
  // `what` it is: the reason of errors. `metric` counts the events, by whether they are found.
  FileLookupStage(WatchedFile<T>& watched, const SharedExpression& key, OnMissing missing,
                  const StageContext& context, const char* what, const char* metric, const char* help)
      : key_(key, context.host),
        watched_(watched),
        drops_(missing == OnMissing::kDrop),
        what_(what),
        name_(context.name),
        log_(context.log),
        found_(context.metrics.counter(metric, help, {{"component", context.name}, {"result", "found"}})),
        missed_(context.metrics.counter(metric, help, {{"component", context.name}, {"result", "missed"}})) {}

  // Null: none could be read yet.
  const T* file() const { return file_.get(); }
  void set_fields(std::size_t count) { places_.assign(count, SIZE_MAX); }
  // REQUIRES: field < the count that was set; each field once a row.
  void give(std::size_t field, const std::string& name, std::uint32_t row, ValueKind kind, Slot slot) {
    std::size_t& place = places_[field];
    if (place == SIZE_MAX) place = columns_.index_of(name);
    columns_.at(place).add(row, kind, slot);
  }

  ValueReader key_;

 private:
  void take(const Frame& in, StageReport& report) {
    Self& self = static_cast<Self&>(*this);
    bool changed = false;
    std::optional<Error> failed;
    std::shared_ptr<const T> file = watched_.get(steady_now(), changed, failed);
    if (changed) log_.info(name_, "{} {}", watched_.path(), self.told(*file));
    if (failed) {
      log_.warn(name_, "{}{}{}{}", failed->text(), file ? ": the " : "", file ? what_ : "",
                file ? " that was there stays" : "");
      report.error(what_, in.rows.empty() ? std::string_view() : in.line(in.rows[0]));
    }
    if (file == file_) return;
    file_ = std::move(file);
    self.taken();
  }

  WatchedFile<T>& watched_;
  const bool drops_;
  const char* const what_;
  const std::string name_;
  Log& log_;
  Counter& found_;
  Counter& missed_;
  std::shared_ptr<const T> file_;    // the columns view its text
  std::vector<std::size_t> places_;  // in columns_, by field
  Columns columns_;
};

}  // namespace logflume
