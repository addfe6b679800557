#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "buffer/disk_buffer_test_fixture.h"
#include "simulation/simulated_disk.h"

namespace logflume {
namespace {

struct Machine : StoreForTest {
  explicit Machine(std::uint64_t seed) : disk(seed) {
    (void)disk.make_directory("/data");
    is_down = [this] { return disk.stopped(); };
  }
  std::string directory() const { return "/data/buffers/out"; }

  SimulatedDisk disk;
};

// More of them: LOGFLUME_BUFFER_SEEDS=FIRST-LAST.
std::pair<std::uint64_t, std::uint64_t> seeds() {
  const char* asked = std::getenv("LOGFLUME_BUFFER_SEEDS");
  if (asked == nullptr) return {0, LOGFLUME_SIMULATION_RUNS};
  char* end = nullptr;
  const std::uint64_t first = std::strtoull(asked, &end, 10);
  return {first, *end == '-' ? std::strtoull(end + 1, nullptr, 10) : first};
}

// Goal: whatever the order in which sources, buffer, sink and store work, fail and are killed, the sink has
// each line once, and each file's lines in order, and nothing is called damaged or lost. Method: a sink like
// the file sink, whose output is cut at a start to the length that was committed with its acknowledgements;
// the power goes in the middle of writes.
TEST(BufferSimulation, DeliversOnceOverKillsAndPowerFailures) {
  const auto [first, last_seed] = seeds();
  for (std::uint64_t seed = first; seed <= last_seed; ++seed) {
    std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    Machine machine(seed);
    DiskBufferConfig config;
    config.overflow = chance(40);
    config.max_bytes = 1024 * 1024;
    config.memory_bytes = chance(50) ? 3000 : 60'000;
    constexpr std::uint64_t kFiles = 3;
    constexpr std::uint64_t kLineBytes = 500;
    constexpr std::uint64_t kLines = 60;
    std::vector<std::string> output;
    machine.states.push_back({"out", "length", "0"});
    for (std::uint64_t file = 1; file <= kFiles; ++file) machine.offsets[file] = 0;

    bool over = false;
    for (int restarts = 0; restarts < 12 && !over; ++restarts) {
      if (restarts != 0) machine.disk.restart(chance(50) ? Crash::kPower : Crash::kKill);
      const bool last = restarts == 11;
      machine.disk.set_faults({});
      for (const SinkStateRecord& state : machine.states) {
        if (state.key == "length") output.resize(std::stoul(state.value));
      }
      Life life(machine, config);
      DiskFaults faults;
      if (!last && chance(50)) machine.disk.stop_after(1 + random() % 60);
      std::map<std::uint64_t, std::uint64_t> read = life.starts;
      std::map<std::uint64_t, std::deque<Delivery>> held;  // by file: acknowledged in order
      for (int step = 0; last || step < 150; ++step) {
        ASSERT_LT(step, 20'000) << "seed " << seed << " does not come to an end";
        const std::uint64_t file = 1 + random() % kFiles;
        switch (last ? random() % 6 : random() % 9) {
          case 0:
          case 1:
            if (read[file] < kLines * kLineBytes && life.harness.ledger.inflight_bytes() < 40'000) {
              std::string line = std::to_string(file) + " " + std::to_string(read[file] / kLineBytes);
              line.resize(kLineBytes - 1, '.');
              life.send(line + "\n", file);
              read[file] += kLineBytes;
            }
            break;
          case 2:
            life.take_in();
            break;
          case 3:
            life.write();
            break;
          case 4:
            for (Delivery& delivery : life.take()) {
              held[delivery.batch->origin->file_id].push_back(std::move(delivery));
            }
            if (auto& queue = held[file]; !queue.empty()) {
              output.emplace_back(queue.front().batch->text());
              const SinkStateRecord length{"out", "length", std::to_string(output.size())};
              life.acknowledge(std::move(queue.front()), {&length, 1});
              queue.pop_front();
            }
            break;
          case 5:
            if (chance(30)) (void)life.commit();
            if (chance(30)) life.pass(1s);
            break;
          case 6:
            faults.sync = chance(30) ? 0.5 : 0;
            machine.disk.set_faults(faults);
            break;
          case 7:
            faults.capacity_bytes = chance(20) ? random() % 60'000 : UINT64_MAX;
            faults.short_write = chance(20) ? 0.3 : 0;
            faults.names = chance(20) ? 0.1 : 0;
            machine.disk.set_faults(faults);
            break;
          default:
            life.commit_fails = chance(20);
            if (chance(3)) life.buffer.drain();
            break;
        }
        if (last && life.buffer.empty() && life.harness.all_acked() &&
            std::all_of(read.begin(), read.end(),
                        [](const auto& r) { return r.second == kLines * kLineBytes; })) {
          over = true;
          break;
        }
        if (!last && (chance(1) || machine.disk.stopped())) break;
      }
      ASSERT_EQ(life.gauge("logflume_buffer_damaged_records_total"), 0) << "seed " << seed;
      ASSERT_EQ(life.harness.discarded("buffer_damaged"), 0U) << "seed " << seed;
    }
    std::map<std::string, std::vector<int>> lines;
    for (const std::string& line : output) lines[line.substr(0, 1)].push_back(std::stoi(line.substr(2)));
    for (auto& [file, numbers] : lines) {
      ASSERT_EQ(numbers.size(), kLines) << "seed " << seed << " file " << file;
      for (std::size_t i = 0; i < kLines; ++i) {
        ASSERT_EQ(numbers[i], static_cast<int>(i)) << "seed " << seed << " file " << file;
      }
    }
    ASSERT_EQ(lines.size(), kFiles) << "seed " << seed;
  }
}

}  // namespace
}  // namespace logflume
