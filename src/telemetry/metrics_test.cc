#include "telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "telemetry/process_metrics.h"

namespace logflume {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(MetricRegistryTest, TheSameNameAndLabelsAreTheSameMetric) {
  MetricRegistry registry;
  Counter& first = registry.counter("a_total", "Help.", {{"x", "1"}, {"y", "2"}});
  first.add(3);
  EXPECT_EQ(&registry.counter("a_total", "Other.", {{"y", "2"}, {"x", "1"}}), &first);
  EXPECT_NE(&registry.counter("a_total", "Help.", {{"x", "2"}}), &first);
  EXPECT_EQ(first.value(), 3u);
}

TEST(MetricRegistryTest, PrintsFamiliesOnceAndSorted) {
  MetricRegistry registry;
  registry.counter("b_total", "B.", {{"c", "2"}}).add(2);
  registry.gauge("a", "A.").set(0.5);
  registry.counter("b_total", "ignored", {{"c", "1"}}).add(18'446'744'073'709'551'615ULL);
  EXPECT_EQ(registry.text(),
            "# HELP a A.\n# TYPE a gauge\na 0.5\n"
            "# HELP b_total B.\n# TYPE b_total counter\n"
            "b_total{c=\"1\"} 18446744073709551615\nb_total{c=\"2\"} 2\n");
}

TEST(MetricRegistryTest, EscapesLabelsAndHelp) {
  MetricRegistry registry;
  registry.gauge("a", "back\\slash\nline \"quoted\"", {{"path", "/a\"b\\c\nd\xFF"}}).set(1);
  EXPECT_EQ(registry.text(),
            "# HELP a back\\\\slash\\nline \"quoted\"\n# TYPE a gauge\n"
            "a{path=\"/a\\\"b\\\\c\\nd\xEF\xBF\xBD\"} 1\n");
}

TEST(MetricRegistryTest, HistogramsAreCumulative) {
  MetricRegistry registry;
  Histogram& histogram = registry.histogram("h_seconds", "H.", {0.1, 1}, {{"c", "x"}});
  histogram.observe(0.1);  // a bound belongs to its bucket
  histogram.observe(0.5, 10);
  histogram.observe(7);
  EXPECT_EQ(registry.text(),
            "# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
            "h_seconds_bucket{c=\"x\",le=\"0.1\"} 1\n"
            "h_seconds_bucket{c=\"x\",le=\"1\"} 11\n"
            "h_seconds_bucket{c=\"x\",le=\"+Inf\"} 12\n"
            "h_seconds_sum{c=\"x\"} 12.1\n"
            "h_seconds_count{c=\"x\"} 12\n");
}

TEST(MetricRegistryTest, CollectorsRunUntilTheirHandleGoes) {
  MetricRegistry registry;
  registry.gauge("b", "B.").set(1);
  int runs = 0;
  auto handle = registry.collect([&](MetricPage& page) {
    ++runs;
    page.gauge("a", "A.", {}, 2);
    page.counter("c_total", "C.", {{"k", "v"}}, 3);
    page.gauge("b", "B.", {{"k", "v"}}, 4);
  });
  EXPECT_EQ(registry.text(),
            "# HELP a A.\n# TYPE a gauge\na 2\n# HELP b B.\n# TYPE b gauge\nb 1\nb{k=\"v\"} 4\n"
            "# HELP c_total C.\n# TYPE c_total counter\nc_total{k=\"v\"} 3\n");
  handle.reset();
  EXPECT_EQ(registry.text(), "# HELP b B.\n# TYPE b gauge\nb 1\n");
  EXPECT_EQ(runs, 1);
}

TEST(MetricRegistryTest, CollectorsHaveHistogramsToo) {
  MetricRegistry registry;
  const std::vector<double> bounds{0.5, 2};
  const std::vector<std::uint64_t> counts{1, 0, 4};
  const auto handle = registry.collect([&](MetricPage& page) {
    page.histogram("h", "H.", {{"k", "v"}}, bounds, counts, 7.5);
    page.gauge("h", "H.", {{"k", "w"}}, 1);  // there is none of that kind
  });
  EXPECT_EQ(registry.text(),
            "# HELP h H.\n# TYPE h histogram\nh_bucket{k=\"v\",le=\"0.5\"} 1\nh_bucket{k=\"v\",le=\"2\"} 1\n"
            "h_bucket{k=\"v\",le=\"+Inf\"} 5\nh_sum{k=\"v\"} 7.5\nh_count{k=\"v\"} 5\n");
}

TEST(MetricRegistryTest, AHandleMayOutliveTheRegistry) {
  std::shared_ptr<MetricRegistry::Collector> handle;
  {
    MetricRegistry registry;
    handle = registry.collect([](MetricPage&) {});
  }
  handle.reset();
}

// Method: threads count, create metrics and come and go as collectors while pages are printed. CI also runs
// this under TSan.
TEST(MetricRegistryTest, CountsExactlyUnderConcurrency) {
  MetricRegistry registry;
  Counter& counter = registry.counter("n_total", "N.");
  Histogram& histogram = registry.histogram("h", "H.", {1});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      ComponentMetrics metrics(registry, "c" + std::to_string(t % 2));
      for (int i = 0; i < 1000; ++i) {
        counter.add();
        histogram.observe(0.5, 2);
        metrics.discarded("too_large", 1);
        int seen = i;
        const auto handle = registry.collect([&seen](MetricPage&) { ++seen; });
      }
    });
  }
  for (int i = 0; i < 50; ++i) EXPECT_THAT(registry.text(), HasSubstr("n_total "));
  threads.clear();
  EXPECT_EQ(counter.value(), 4000u);
  EXPECT_EQ(histogram.bucket(0), 8000u);
  EXPECT_THAT(
      registry.text(),
      HasSubstr("logflume_component_discarded_events_total{component=\"c1\",reason=\"too_large\"} 2000\n"));
}

TEST(ComponentMetricsTest, HasTheNamesOfTheContract) {
  MetricRegistry registry;
  ComponentMetrics metrics(registry, "app");
  metrics.received_events.add(1);
  metrics.error("read", 2);
  const std::string page = registry.text();
  for (const char* line : {"logflume_component_received_events_total{component=\"app\"} 1\n",
                           "logflume_component_received_bytes_total{component=\"app\"} 0\n",
                           "logflume_component_sent_events_total{component=\"app\"} 0\n",
                           "logflume_component_sent_bytes_total{component=\"app\"} 0\n",
                           "logflume_component_errors_total{component=\"app\",reason=\"read\"} 2\n"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
}

TEST(ProcessMetricsTest, DescribesThisProcess) {
  MetricRegistry registry;
  const auto handle = collect_process_metrics(registry);
  const std::string page = registry.text();
  for (const char* name :
       {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
        "process_open_fds", "process_max_fds", "process_start_time_seconds", "process_threads"}) {
    EXPECT_THAT(page, HasSubstr("\n" + std::string(name) + " "));
  }
  EXPECT_THAT(page, HasSubstr("logflume_build_info{compiler="));
  EXPECT_THAT(page, HasSubstr("version=\"" LOGFLUME_VERSION "\"} 1\n"));
  EXPECT_THAT(page, Not(HasSubstr("process_open_fds 0\n")));
}

// The page as promtool sees it, where that is installed.
TEST(MetricRegistryTest, PromtoolAcceptsThePage) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is not installed";
  MetricRegistry registry;
  const auto handle = collect_process_metrics(registry);
  ComponentMetrics metrics(registry, "bus");
  metrics.discarded("rejected", 1);
  metrics.error("with \"quotes\" and \\ and \n", 1);
  registry
      .histogram("logflume_delivery_latency_seconds", "Time from read to acknowledgement.", {1e-7, 0.001, 10},
                 {{"component", "bus"}})
      .observe(0.01, 3);
  std::string path = (std::filesystem::temp_directory_path() / "logflume-page-XXXXXX").string();
  const int fd = ::mkstemp(path.data());
  ASSERT_GE(fd, 0);
  ::close(fd);
  std::ofstream(path) << registry.text();
  EXPECT_EQ(std::system(("promtool check metrics < " + path).c_str()), 0);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace logflume
