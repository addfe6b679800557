#include <gmock/gmock.h>

#include <fstream>

#include "base/temp_dir_for_test.h"
#include "transform/mmdb_for_test.h"
#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

using ::testing::HasSubstr;
using Texts = std::map<std::string, std::string>;

class GeoipTest : public ::testing::Test {
 protected:
  GeoipTest() {
    MmdbWriter writer(6, 28);
    const auto named = [](const std::string& name) {
      return Mmdb::map({{"names", Mmdb::map({{"de", Mmdb::text(name + "!")}, {"en", Mmdb::text(name)}})}});
    };
    writer.insert("81.2.69.0", 24,
                  Mmdb::map({{"city", named("London")},
                             {"country", Mmdb::map({{"iso_code", Mmdb::text("GB")},
                                                    {"names", Mmdb::map({{"en", Mmdb::text("Britain")}})}})},
                             {"location", Mmdb::map({{"latitude", Mmdb::real(51.5142)},
                                                     {"longitude", Mmdb::real(-0.0931)},
                                                     {"time_zone", Mmdb::text("Europe/London")}})},
                             {"subdivisions", Mmdb::array({Mmdb::map({{"iso_code", Mmdb::text("ENG")}})})}}));
    writer.insert("2001:218::", 32, Mmdb::map({{"country", Mmdb::map({{"iso_code", Mmdb::text("JP")}})}}));
    std::ofstream(path_, std::ios::binary) << writer.file();
  }
  TestPipeline pipeline(TestKeys keys) {
    keys.insert(keys.begin(), {"file", path_});
    return TestPipeline(
        {{"p", test_transform("parse_json", "app")}, {"g", test_transform("geoip", "p", keys)}}, "g");
  }

  const TempDir directory_;
  const std::string path_ = directory_ / "geo.mmdb";
};

TEST_F(GeoipTest, AddsWhatTheDatabaseHas) {
  TestPipeline pipeline = this->pipeline({{"address", std::string("ip")}});
  const auto events = pipeline.run(
      {R"({"ip":"81.2.69.142"})", R"({"ip":"2001:218::1","city_name":"own"})", R"({"ip":"8.8.8.8"})"});
  EXPECT_EQ(events[0], (TestEvent{{"ip", "81.2.69.142"},
                                  {"city_name", "London"},
                                  {"country_code", "GB"},
                                  {"country_name", "Britain"},
                                  {"latitude", "51.5142"},
                                  {"longitude", "-0.0931"},
                                  {"region_code", "ENG"},
                                  {"time_zone", "Europe/London"}}));
  EXPECT_EQ(events[1], (TestEvent{{"ip", "2001:218::1"}, {"city_name", "own"}, {"country_code", "JP"}}));
  EXPECT_EQ(events[2], (TestEvent{{"ip", "8.8.8.8"}}));
}

TEST_F(GeoipTest, CountsWhatItDoesNotKnowAndWhatIsNoAddress) {
  TestPipeline pipeline = this->pipeline({{"address", std::string("ip")},
                                          {"fields", Texts{{"c", "country.iso_code"}}},
                                          {"prefix", std::string("geo_")},
                                          {"missing", std::string("drop")}});
  const auto events = pipeline.run({R"({"ip":"81.2.69.1"})", R"({"ip":"8.8.8.8"})", R"({"ip":"-"})",
                                    R"({"ip":""})", R"({"ip":null})", R"({"n":1})", R"({"ip":"nowhere"})",
                                    R"({"ip":7})", R"({"ip":"81.2.69.1"})"});
  ASSERT_EQ(events.size(), 2U);
  for (const TestEvent& event : events) EXPECT_EQ(event, (TestEvent{{"ip", "81.2.69.1"}, {"geo_c", "GB"}}));
  const StageReport& report = pipeline.report("g");
  EXPECT_EQ(report.discarded, 7U);
  ASSERT_EQ(report.errors.size(), 1U);
  EXPECT_EQ(report.errors[0].first, "not_an_address");
  EXPECT_EQ(report.errors[0].second, 2U);
  EXPECT_EQ(report.sample, R"({"ip":"nowhere"})");
  EXPECT_THAT(pipeline.metrics(), HasSubstr(R"(geoip_events_total{component="g",result="found"} 2)"));
  EXPECT_THAT(pipeline.metrics(), HasSubstr(R"(geoip_events_total{component="g",result="missed"} 7)"));
}

// More addresses than are remembered, each several times.
TEST_F(GeoipTest, RemembersAddressesRightly) {
  MmdbWriter writer(4, 24);
  for (int i = 0; i < 1000; ++i) {
    writer.insert("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250), 32,
                  Mmdb::map({{"n", Mmdb::integer(Mmdb::kUint32, static_cast<std::uint64_t>(i), 4)}}));
  }
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << writer.file();
  TestPipeline pipeline = this->pipeline({{"address", std::string("ip")}, {"fields", Texts{{"n", "n"}}}});
  std::vector<std::string> lines;
  for (int i = 0; i < 5000; ++i) {
    const int n = i * 7 % 1000;
    lines.push_back(R"({"ip":"10.0.)" + std::to_string(n / 250) + "." + std::to_string(n % 250) + R"("})");
  }
  const auto events = pipeline.run(lines);
  ASSERT_EQ(events.size(), lines.size());
  for (std::size_t i = 0; i < events.size(); ++i) ASSERT_EQ(events[i].at("n"), std::to_string(i * 7 % 1000));
}

}  // namespace
}  // namespace logflume
