#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

TEST(TemplateTest, AShortTemplateOfALongLineIsBounded) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "{{message}}";
  TestPipeline pipeline(
      {{"t",
        test_transform("template", "app", {{"fields", std::map<std::string, std::string>{{"x", text}}}})}},
      "t");
  const auto events = pipeline.run({std::string(1 << 20, 'a'), std::string(1 << 20, 'b'), "c"});
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].at("x").size(), 50U << 20);
  EXPECT_FALSE(events[1].contains("x")) << "more than 64 MiB in one batch";
  EXPECT_EQ(events[2].at("x"), std::string(50, 'c'));
  ASSERT_EQ(pipeline.report("t").errors.size(), 1U);
  EXPECT_EQ(pipeline.report("t").errors[0].first, "too_large");
}

}  // namespace
}  // namespace logflume
