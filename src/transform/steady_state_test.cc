#include <fstream>

#include "base/temp_dir_for_test.h"
#include "transform/counted_allocations_for_test.h"
#include "transform/mmdb_for_test.h"
#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

struct SteadyCase {
  const char* name;
  AnyTransformConfig transform;  // behind a parser of JSON
};

std::vector<SteadyCase> cases(const std::string& table, const std::string& addresses) {
  using Texts = std::map<std::string, std::string>;
  const std::string key = "key", id = "id";
  return {
      {"sample",
       test_transform("sample", "p", {{"rate", std::uint64_t{3}}, {"key", id}, {"rate_field", key}})},
      {"throttle", test_transform("throttle", "p", {{"events", std::uint64_t{1'000'000}}, {"key", id}})},
      {"dedupe", test_transform("dedupe", "p", {{"fields", std::vector<std::string>{"id", "text"}}})},
      {"parse_timestamp", test_transform("parse_timestamp", "p", {{"field", std::string("t")}})},
      {"template",
       test_transform("template", "p", {{"fields", Texts{{"x", "{{ id }} of {{ text }} {{ n + 1 }}"}}}})},
      {"aggregate", test_transform("aggregate", "p",
                                   {{"by", std::vector<std::string>{"id"}},
                                    {"fields", Texts{{"n", "count"},
                                                     {"sum", "sum(n)"},
                                                     {"last", "last(text)"},
                                                     {"top", "max(n)"},
                                                     {"kinds", "distinct(n % 10)"}}}})},
      {"lookup", test_transform("lookup", "p", {{"table", table}, {"key", id}})},
      {"geoip", test_transform("geoip", "p", {{"file", addresses}, {"address", std::string("ip")}})},
      {"add_host", test_transform("add_host", "p")},
      {"log_to_metric",
       test_transform("log_to_metric", "p",
                      {{"name", std::string("m")}, {"labels", Texts{{"id", "id"}, {"n", "n % 7"}}}})},
  };
}

// Once a stage has the memory that such batches need, no event takes any.
TEST(SteadyStateTest, NoEventAllocates) {
  std::vector<std::string> lines;
  for (int i = 0; i < 10'000; ++i) {
    lines.push_back("{\"n\":" + std::to_string(i) + ",\"id\":\"a name that is long enough " +
                    std::to_string(i % 50) +
                    "\",\"text\":\"some text\",\"t\":\"2026-01-02T03:04:05.678Z\",\"ip\":\"10.0." +
                    std::to_string(i / 250 % 250) + "." + std::to_string(i % 250) + "\"}");
  }
  const std::vector<std::string> few(lines.begin(), lines.begin() + 100);
  const TestBatch small(few), large(lines);
  const TempDir directory;
  const std::string table = directory / "table.csv";
  std::ofstream(table) << "id,a,b\na name that is long enough 7,x,y\na name that is long enough 8,z,\n";
  const std::string addresses = directory / "addresses.mmdb";
  MmdbWriter networks(6, 24);
  networks.insert("10.0.0.0", 8,
                  Mmdb::map({{"country", Mmdb::map({{"iso_code", Mmdb::text("AA")}})},
                             {"location", Mmdb::map({{"latitude", Mmdb::real(1.5)}})}}));
  std::ofstream(addresses, std::ios::binary) << networks.file();
  for (const SteadyCase& one : cases(table, addresses)) {
    TestPipeline pipeline({{"p", test_transform("parse_json", "app")}, {"t", one.transform}}, "t");
    const auto allocations_of = [&](const TestBatch& batch) {
      const auto run = [&] {
        const auto taken = pipeline.pipeline().take_run();
        taken->run(batch.ref(), false);
        taken->run_in_order({&pipeline.gatherings(), &TestPipeline::kSinks});
      };
      for (int warm = 0; warm < 3; ++warm) run();
      const CountedAllocations counted;
      run();
      return counted.count();
    };
    const std::uint64_t of_small = allocations_of(small);
    EXPECT_LT(of_small, 30U) << one.name << ": a batch";
    EXPECT_LT(allocations_of(large), of_small + 20) << one.name << ": a hundred times as many events";
  }
}

}  // namespace
}  // namespace logflume
