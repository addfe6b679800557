// Files that no matching name leads to any more: moved out of the globs, or deleted.
#pragma once

#include <vector>

#include "source/discovery.h"
#include "source/file_catalog.h"
#include "source/file_metrics.h"
#include "source/file_source_config.h"
#include "source/handle_pool.h"
#include "source/ready_files.h"
#include "source/source.h"

namespace logflume {

// Reads them to their end and follows them until they have been quiet long enough (semantics 6 and 7), by
// time, as discovery has no name to watch. Deleted ones are held open within `deleted_files`.
//
// Threads: the source's.
class Orphans {
 public:
  Orphans(const FileSourceConfig& config, SourceContext& context, FileCatalog& catalog, HandlePool& handles,
          Discovery& discovery, FileMetrics& metrics, Losses& losses, ReadyFiles& ready)
      : config_(config),
        context_(context),
        catalog_(catalog),
        handles_(handles),
        discovery_(discovery),
        metrics_(metrics),
        losses_(losses),
        ready_(ready) {}

  void add(TailedFile& file, TimePoint now);
  // To be called at next_check().
  void look_after(TimePoint now);
  TimePoint next_check() const { return next_check_; }

 private:
  bool is_done(TailedFile& file, TimePoint now);
  void give_up_deleted(TimePoint now);
  // So many bytes of it are lost.
  void count_unread(TailedFile& file, std::uint64_t bytes);
  void let_go(TailedFile& file);

  const FileSourceConfig& config_;
  SourceContext& context_;
  FileCatalog& catalog_;
  HandlePool& handles_;
  Discovery& discovery_;
  FileMetrics& metrics_;
  Losses& losses_;
  ReadyFiles& ready_;
  std::vector<FileToken> files_;  // in the order in which they lost their names
  TimePoint next_check_ = kNever;
};

}  // namespace logflume
