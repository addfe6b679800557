#include "source/archive_gate.h"

namespace logflume {
namespace {

using namespace std::chrono_literals;

constexpr Duration kQuiet = 500ms;  // a file that is being written is decoded when it has been quiet so long
constexpr Duration kIncompleteAfter = 60s;  // then it is an error
constexpr Duration kDecoderIdle = 2s;       // then another one may have it
constexpr Duration kDecoderRetry = 20ms;
constexpr std::size_t kTurnBytes = Archive::kStepBytes;

}  // namespace

ArchiveGate::Answer ArchiveGate::failed(const Error& error) {
  error_ = error;
  return Answer::kFailed;
}

ArchiveGate::Answer ArchiveGate::look(TailedFile& file, TimePoint now, std::size_t& bytes) {
  if (!file.archive && file.content) return Answer::kOpen;  // it is read as it is
  if (const auto opened = handles_.open(file); !opened) return failed(opened.error());
  if (!file.archive) {
    const Answer found = find_format(file);
    if (found != Answer::kMore) return found;
  }
  const Result<FileStatus> status = file_status(file.fd.get());
  if (!status) return failed(status.error());
  const Archive::Version version{status->size_bytes, status->modified_ns};
  if (version != file.archive->version()) {
    const bool first = file.archive->version() == Archive::Version{};
    restart(file, version);
    if (!first) return changing(file, now);
  }
  switch (file.archive->stage()) {
    case Archive::Stage::kComplete:
      return Answer::kOpen;
    case Archive::Stage::kCorrupt:
      return Answer::kNothing;
    case Archive::Stage::kIncomplete:
      return incomplete(file, now);
    case Archive::Stage::kUnverified:
      if (file.archive->written_at != TimePoint{} && now - file.archive->written_at < kQuiet) {
        retry_at_ = file.archive->written_at + kQuiet;
        return Answer::kWait;
      }
      return verify(file, now, bytes);
  }
  return Answer::kNothing;
}

// kMore: an archive.
ArchiveGate::Answer ArchiveGate::find_format(TailedFile& file) {
  const std::optional<ArchiveFormat> format = archive_format_of(file.path());
  const Result<std::string> head = read_head(file.fd.get(), kMagicBytesMax);
  if (!head) return failed(head.error());
  const Magic magic = format ? compare_magic(*format, *head) : Magic::kDiffers;
  if (magic == Magic::kTooShort) return Answer::kNothing;
  if (magic == Magic::kDiffers) {
    context_.log.debug(context_.name, "{} is not compressed, whatever its name says", file.path());
    file.archive_name = false;
    return Answer::kOpen;
  }
  file.archive = std::make_unique<Archive>(*format);
  file.size_known = 0;
  return Answer::kMore;
}

void ArchiveGate::restart(TailedFile& file, const Archive::Version& version) {
  file.archive->begin(version);
  file.end_long_event();
}

ArchiveGate::Answer ArchiveGate::verify(TailedFile& file, TimePoint now, std::size_t& bytes) {
  if (!take_decoder(file, now)) return Answer::kWait;
  Archive& archive = *file.archive;
  file.behind = true;
  const bool head_known = archive.head_known();
  const Result<Archive::Stage> stage = archive.verify(file.fd.get(), kTurnBytes);
  bytes += kTurnBytes;
  if (!stage) return failed(stage.error());
  if (!head_known && archive.head_known()) catalog_.note_wanted(file);
  if (*stage == Archive::Stage::kUnverified) return Answer::kMore;
  leave(file);
  const Result<FileStatus> status = file_status(file.fd.get());
  if (!status) return failed(status.error());
  const Archive::Version version{status->size_bytes, status->modified_ns};
  const bool changed = version != archive.version();
  if (*stage == Archive::Stage::kIncomplete) {
    if (changed) file.last_growth = now;
    return incomplete(file, now);
  }
  if (changed) {
    restart(file, version);
    return changing(file, now);
  }
  archive.reported = false;
  if (*stage == Archive::Stage::kCorrupt) {
    context_.metrics.error("corrupt_archive");
    context_.log.error(context_.name, "{} is damaged at byte {} of {}: {}; it is not read before it changes",
                       file.path(), archive.error_at(), version.size_bytes, archive.error().message);
    return Answer::kNothing;
  }
  if (!file.content) return Answer::kOpen;
  file.size_known = archive.size_bytes();
  return catalog_.holds_content(file) ? Answer::kOpen : Answer::kChanged;
}

// To decode it from its beginning at each write would cost more than writing it did.
ArchiveGate::Answer ArchiveGate::changing(TailedFile& file, TimePoint now) {
  file.last_growth = file.archive->written_at = now;
  retry_at_ = now + kQuiet;
  return Answer::kWait;
}

// Still written, or cut off for good: it is decoded again when it has changed and is quiet.
ArchiveGate::Answer ArchiveGate::incomplete(TailedFile& file, TimePoint now) {
  Archive& archive = *file.archive;
  if (!archive.reported && (now - file.last_growth >= kIncompleteAfter || context_.until_eof)) {
    archive.reported = true;
    context_.metrics.error("incomplete_archive");
    context_.log.warn(context_.name, "{} is incomplete: it is not read before the rest of it is written",
                      file.path());
  }
  if (context_.until_eof || file.place != TailedFile::Place::kNamed) return Answer::kNothing;
  retry_at_ = now + (archive.reported ? kIncompleteAfter / 6 : kQuiet);
  return Answer::kWait;
}

ArchiveGate::Answer ArchiveGate::go_to(TailedFile& file, std::uint64_t position, std::size_t seam_bytes,
                                       TimePoint now, std::size_t& bytes) {
  Archive& archive = *file.archive;
  const bool in_long_event = file.in_long_event(position);
  const std::uint64_t begin = in_long_event ? file.long_events->current.to : position - seam_bytes;
  if (archive.near(begin) && (!in_long_event || archive.pinned())) {
    archive.last_use = now;
    return Answer::kOpen;
  }
  if (!take_decoder(file, now)) return Answer::kWait;
  file.end_long_event();
  file.behind = true;
  const Result<bool> there = archive.advance(file.fd.get(), position - seam_bytes, kTurnBytes);
  bytes += kTurnBytes;
  if (there) return *there ? Answer::kOpen : Answer::kMore;
  if (there.error().code != Errc::kCorrupt) return failed(there.error());
  verify_again(file);
  return Answer::kMore;
}

bool ArchiveGate::busy_elsewhere(const TailedFile& file, std::uint64_t position, std::size_t seam_bytes,
                                 TimePoint now) {
  const Archive& archive = *file.archive;
  if (!archive.decoding() || now - archive.last_use >= kDecoderIdle) return false;
  const bool in_long_event = file.in_long_event(position);
  const std::uint64_t begin = position - seam_bytes;
  return !in_long_event && !archive.near(begin) && !archive.heading_for(begin);
}

void ArchiveGate::leave(TailedFile& file) {
  file.archive->release();
  if (user_ == file.token) user_ = 0;
}

bool ArchiveGate::take_decoder(TailedFile& file, TimePoint now) {
  TailedFile* user = user_ == 0 || user_ == file.token ? nullptr : catalog_.get(user_);
  if (user != nullptr && user->archive && user->archive->decoding()) {
    if (now - user->archive->last_use < kDecoderIdle) {
      retry_at_ = now + kDecoderRetry;
      return false;
    }
    user->archive->release();
    user->end_long_event();
    // Half a verification is none.
    if (user->archive->stage() == Archive::Stage::kUnverified) restart(*user, user->archive->version());
  }
  user_ = file.token;
  file.archive->last_use = now;
  return true;
}

}  // namespace logflume
