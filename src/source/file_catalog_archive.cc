// What stands where in a file, be it compressed or not, and what an archive has to be looked through for.
#include <unistd.h>

#include <algorithm>

#include "source/file_catalog.h"

namespace logflume {

bool FileCatalog::matches_before(TailedFile& file, std::uint64_t offset, std::uint32_t bytes,
                                 std::uint64_t hash) {
  if (!file.archive) return logflume::matches_before(file.fd.get(), offset, bytes, hash);
  if (bytes > offset) return false;
  const Seam seam = read_seam(file, offset);
  return seam.size() >= bytes && hash_bytes(seam.view().substr(seam.size() - bytes)) == hash;
}

bool FileCatalog::matches_before(TailedFile& file, std::uint64_t offset, const Seam& seam) {
  return matches_before(file, offset, seam.size(), hash_bytes(seam.view()));
}

// The raw bytes before `offset`, to compare later reads with.
Seam FileCatalog::read_seam(TailedFile& file, std::uint64_t offset) {
  if (file.archive) {
    if (offset == 0 || offset > file.archive->size_bytes()) return {};
    if (const Seam* seam = file.archive->seam_at(offset)) return *seam;
    file.archive->want(offset);
    unseen_ = true;
    return {};
  }
  char buffer[Seam::kBytesMax];
  const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(offset, sizeof buffer));
  const ssize_t n = ::pread(file.fd.get(), buffer, bytes, static_cast<off_t>(offset - bytes));
  if (n != static_cast<ssize_t>(bytes)) return {};
  return Seam::before(buffer + bytes, bytes);
}

void FileCatalog::note_wanted(TailedFile& file) {
  Archive& archive = *file.archive;
  const auto want_cursors = [&](const Remembered& known) {
    for (const CursorRecord& cursor : known.cursors) archive.want(cursor.offset);
  };
  if (file.content) {
    archive.want(file.content->fed_max());
    return;
  }
  if (const Remembered* own = placeless_.remembered_in(file.key)) want_cursors(*own);
  for (const Remembered* known : placeless_.remembered_alike(archive.head())) want_cursors(*known);
  for (const LogContent* ghost : placeless_.ghosts_alike(archive.head())) archive.want(ghost->fed_max());
  for (const TailedFile* original : live_.find(archive.head())) {
    if (original == &file || !original->content || original->content->fed_max() == 0) continue;
    const Archive::Sighting seen{original->content->fed_max(), original->content->fed_max_seam()};
    archive.want(seen.offset);
    archive.sightings[original->token] = seen;
  }
}

bool FileCatalog::holds_content(TailedFile& file) {
  const std::uint64_t offset = file.content->fed_max();
  const Prefix& prefix = file.content->prefix;
  const std::string& head = file.archive->head();
  if (file.finished_copy) return true;
  return head.size() >= prefix.bytes &&
         hash_bytes(std::string_view(head).substr(0, prefix.bytes)) == prefix.hash &&
         offset <= file.archive->size_bytes() && matches_before(file, offset, file.content->fed_max_seam());
}

// Compared is what was read of the original when the archive's head became known: meanwhile it goes on.
bool FileCatalog::archive_equal_so_far(TailedFile& copy, TailedFile& original) {
  const Archive& archive = *copy.archive;
  const auto seen = archive.sightings.find(original.token);
  if (seen == archive.sightings.end()) {
    unseen_ = true;  // it is read only since then
    return false;
  }
  const auto& [offset, seam] = seen->second;
  if (offset <= archive.size_bytes()) {
    if (!matches_before(copy, offset, seam)) return false;
  } else if (!original.archive) {  // the original was written to after it had been compressed
    const Seam tail = read_seam(original, archive.size_bytes());
    if (tail.size() == 0 || tail.view() != read_seam(copy, archive.size_bytes()).view()) return false;
  } else {
    return false;
  }
  copy.verified_to = archive.size_bytes();
  return true;
}

}  // namespace logflume
