// Lines through the transforms of a configuration, and what comes out as JSON.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "event/newlines.h"
#include "transform/pipeline.h"
#include "transform/plan.h"

namespace logflume {

// A batch whose text stays as long as it.
class TestBatch {
 public:
  explicit TestBatch(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) text_ += line + '\n';
    const std::size_t size = text_.size();
    text_.append(64, '"');  // what may be read behind it
    auto* const batch = new Batch;
    batch_ = BatchRef(batch);
    batch->data = text_.data();
    batch->bytes = size;
    batch->events = static_cast<std::uint32_t>(lines.size());
    batch->origin = std::make_shared<Origin>(Origin{"app", "/var/log/app.log", 7});
    batch->owed = batch->in_file = {0, size};
    batch->wall_ns = 1767323045678000000;  // 2026-01-02T03:04:05.678Z
  }
  const BatchRef& ref() const { return batch_; }

 private:
  std::string text_;
  BatchRef batch_;
};

}  // namespace logflume
