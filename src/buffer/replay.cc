#include "buffer/replay.h"

#include <algorithm>
#include <atomic>

#include "buffer/buffered_batch.h"
#include "buffer/stored_view.h"

namespace logflume {
namespace {

constexpr std::size_t kOriginsMax = 1024;
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kLargeBytesMax = 8 * 1024 * 1024;  // kept for the next reads

}  // namespace

Result<void> Replay::read(std::uint64_t limit, TimePoint now, Found& found) {
  found = {};
  SlabRef slab = memory();
  if (!slab) {
    found.no_memory = true;
    return {};
  }
  if (auto read = reader_.read({slab->data(), slab->capacity()}, chunk_, limit); !read) return read;
  if (chunk_.bytes_wanted != 0) {
    // The next ones are as large, as a rule.
    memory_bytes_ = (chunk_.bytes_wanted + kPageBytes) / kPageBytes * kPageBytes;
    slab = memory();
    if (!slab) {
      found.no_memory = true;
      return {};
    }
    if (auto read = reader_.read({slab->data(), slab->capacity()}, chunk_, limit); !read) return read;
  } else if (!chunk_.records.empty() &&
             chunk_.records.front().end - chunk_.records.front().position < SlabPool::kSlabBytes) {
    memory_bytes_ = SlabPool::kSlabBytes;
  }
  found.at_end = chunk_.at_end;
  if (found.at_end) large_.clear();
  found.damages = std::move(chunk_.damages);
  found.gaps = std::move(chunk_.gaps);
  const std::int64_t now_wall_ns = wall_now_ns();
  for (const LogRecord& record : chunk_.records) {
    if (BatchRef batch = make(record, slab, now, now_wall_ns)) {
      found.batches.push_back(std::move(batch));
    } else {
      found.damages.push_back({record.position, record.end, record.items, record.segment});
    }
  }
  return {};
}

SlabRef Replay::memory() {
  if (memory_bytes_ <= SlabPool::kSlabBytes) {
    large_.clear();
    return slabs_.try_acquire();
  }
  for (const SlabRef& slab : large_) {
    if (slab->use_count() != 1 || slab->capacity() < memory_bytes_) continue;
    // Pairs with the release of the last batch: what read the slab is over.
    std::atomic_thread_fence(std::memory_order_acquire);
    return slab;
  }
  SlabRef slab = slabs_.try_acquire_large(memory_bytes_);
  if (!slab) {
    large_.clear();  // too small ones stood in the way
    return slabs_.try_acquire_large(memory_bytes_);
  }
  if ((large_.size() + 1) * memory_bytes_ <= kLargeBytesMax) large_.push_back(slab);
  return slab;
}

BatchRef Replay::make(const LogRecord& record, const SlabRef& slab, TimePoint now, std::int64_t now_wall_ns) {
  auto stored = BufferedBatch::decode(record.payload, record.items);
  if (!stored) return {};
  auto* batch = new Batch;
  BatchRef shared(batch);
  batch->slab = slab;
  batch->data = stored->text.data();
  batch->bytes = stored->text.size();
  batch->events = record.items;
  batch->unterminated = stored->unterminated;
  batch->truncated = stored->truncated;
  batch->strip_cr = stored->strip_cr;
  batch->event_ends = std::move(stored->event_ends);
  batch->origin = origin_of(stored->source, stored->path, stored->file_id);
  batch->owed = {record.position, record.end};
  batch->in_file = stored->owed;
  batch->made = stored->owed.bytes() == 0;
  batch->text_begin = stored->text_range().begin;
  batch->wall_ns = stored->wall_ns;
  batch->read_at = now - std::max(Duration(now_wall_ns - stored->wall_ns), Duration::zero());
  if (stored->view.empty()) return shared;
  const auto view = std::make_shared<StoredView>();
  const auto at = static_cast<std::size_t>(stored->view.data() - record.payload.data());
  if (!view->decode(record.payload, at, record.items)) return {};
  view->attach(*batch);
  batch->view = {view, &view->view()};
  return shared;
}

std::shared_ptr<const Origin> Replay::origin_of(std::string_view source, std::string_view path,
                                                std::uint64_t file_id) {
  if (origins_.size() >= kOriginsMax) origins_.clear();
  std::shared_ptr<const Origin>& known = origins_[file_id];
  if (!known || known->path != path || known->source != source) {
    known = std::make_shared<const Origin>(Origin{std::string(source), std::string(path), file_id});
  }
  return known;
}

}  // namespace logflume
