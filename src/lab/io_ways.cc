#include "lab/io_ways.h"

#include <fcntl.h>

#include <algorithm>

namespace logflume {
namespace {

auto map_with(MapAdvice advice) {
  return [advice](const IoJob& job) { return read_by_mmap(job, advice); };
}

auto ring_with(UringMode mode) {
  return [mode](const IoJob& job) { return read_by_io_uring(job, mode); };
}

IoWay agent_way(const std::string& read_mode) {
  const auto run = [read_mode](const IoJob& job) { return read_by_block_reader(job, read_mode); };
  return {
      .name = agent_way_name(read_mode), .run = run, .fio_engine = "", .fio_options = {}, .direct = false};
}

std::vector<IoWay> make_ways() {
  const std::string none;
  return {
      {.name = "read", .run = read_by_read, .fio_engine = "sync", .fio_options = {}, .seeks = false},
      {.name = "read O_NONBLOCK",
       .run = read_by_read,
       .fio_engine = none,
       .fio_options = {},
       .seeks = false,
       .everywhere = false,
       .open_flags = O_NONBLOCK},
      {.name = "epoll ET, a file",
       .run = read_file_by_epoll,
       .fio_engine = none,
       .fio_options = {},
       .everywhere = false},
      {.name = "pread", .run = read_by_pread, .fio_engine = "psync", .fio_options = {}},
      {.name = "preadv2 NOWAIT",
       .run = read_by_nowait,
       .fio_engine = none,
       .fio_options = {},
       .direct = false},
      {.name = "POSIX AIO",
       .run = read_by_posix_aio,
       .fio_engine = "posixaio",
       .fio_options = {},
       .several = true},
      {.name = "libaio", .run = read_by_libaio, .fio_engine = "libaio", .fio_options = {}, .several = true},
      {.name = "io_uring",
       .run = ring_with(UringMode::kPlain),
       .fio_engine = "io_uring",
       .fio_options = {},
       .several = true},
      {.name = "io_uring registered",
       .run = ring_with(UringMode::kRegistered),
       .fio_engine = "io_uring",
       .fio_options = {"--fixedbufs", "--registerfiles"},
       .several = true},
      {.name = "io_uring SQPOLL",
       .run = ring_with(UringMode::kPolled),
       .fio_engine = "io_uring",
       .fio_options = {"--fixedbufs", "--registerfiles", "--sqthread_poll"},
       .several = true},
      {.name = "mmap",
       .run = map_with(MapAdvice::kNone),
       .fio_engine = "mmap",
       .fio_options = {},
       .maps = true,
       .direct = false},
      {.name = "mmap populate",
       .run = map_with(MapAdvice::kPopulate),
       .fio_engine = none,
       .fio_options = {},
       .maps = true,
       .direct = false},
      {.name = "mmap sequential",
       .run = map_with(MapAdvice::kSequential),
       .fio_engine = "mmap",
       .fio_options = {"--fadvise_hint=sequential"},
       .maps = true,
       .direct = false},
      {.name = "mmap random",
       .run = map_with(MapAdvice::kRandom),
       .fio_engine = "mmap",
       .fio_options = {"--fadvise_hint=random"},
       .maps = true,
       .direct = false},
      {.name = "mmap willneed",
       .run = map_with(MapAdvice::kWillNeed),
       .fio_engine = none,
       .fio_options = {},
       .maps = true,
       .direct = false},
      agent_way("pread"),
      agent_way("mmap"),
      agent_way("io_uring"),
      {.name = "pread, counted",
       .run = count_by_pread,
       .fio_engine = none,
       .fio_options = {},
       .everywhere = false},
      {.name = "mmap, counted",
       .run = count_by_mmap,
       .fio_engine = none,
       .fio_options = {},
       .maps = true,
       .direct = false,
       .everywhere = false},
  };
}

}  // namespace

const std::vector<IoWay>& io_ways() {
  static const std::vector<IoWay> ways = make_ways();
  return ways;
}

const IoWay& io_way(const std::string& name) {
  return *std::find_if(io_ways().begin(), io_ways().end(),
                       [&name](const IoWay& way) { return way.name == name; });
}

std::string agent_way_name(const std::string& read_mode) { return "agent, " + read_mode; }

}  // namespace logflume
