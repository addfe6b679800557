#include "sink/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace logflume {
namespace {

using ::testing::HasSubstr;

using Labels = std::map<std::string, std::string>;

std::string rendered(std::string_view text, bool for_path = false, const Labels& labels = {},
                     std::string path = "/var/log/app.log", std::string_view host = "web-1",
                     bool with_time = true, const Template::Values& values = {}) {
  Result<Template> parsed = Template::parse(text, labels, with_time);
  if (!parsed) return "error: " + parsed.error().text();
  Batch batch;
  batch.origin = std::make_shared<Origin>(Origin{"app", std::move(path), 7});
  batch.wall_ns = 1'767'323'045'678'901'234;  // 2026-01-02T03:04:05Z, a Friday
  std::string out;
  parsed->render(batch, host, for_path, out, values);
  return out;
}

std::string error_of(std::string_view text, const Labels& labels = {}) {
  Result<Template> parsed = Template::parse(text, labels, true);
  if (parsed) return "no error";
  EXPECT_EQ(parsed.error().code, Errc::kInvalidArgument);
  return parsed.error().text();
}

TEST(TemplateTest, FieldsAndLabelsStandForTheirValues) {
  EXPECT_EQ(rendered("logs"), "logs");
  EXPECT_EQ(rendered(""), "");
  EXPECT_EQ(rendered("{{source}}/{{ host }}/{{  file  }}/{{ file_name }}"),
            "app/web-1//var/log/app.log/app.log");
  EXPECT_EQ(rendered("{{ env }}-{{ host }}", false, {{"env", "prod"}, {"host", "replaced"}}),
            "prod-replaced");
  EXPECT_EQ(rendered("{ not } }} a field"), "{ not } }} a field");
}

TEST(TemplateTest, TimeSpecifiersAreTheBatchsTimestampInUtc) {
  EXPECT_EQ(rendered("%Y-%m-%d/%H:%M:%S"), "2026-01-02/03:04:05");
  EXPECT_EQ(rendered("%F %T %j %y %a %b %e %u %V %G"), "2026-01-02 03:04:05 002 26 Fri Jan  2 5 01 2026");
  EXPECT_EQ(rendered("%s %z %Z 100%%"), "1767323045 +0000 UTC 100%");
}

TEST(TemplateTest, TheTimeZoneOfTheProcessChangesNothing) {
  ::setenv("TZ", "America/New_York", 1);
  ::tzset();
  EXPECT_EQ(rendered("%F %T %s %z"), "2026-01-02 03:04:05 1767323045 +0000");
  ::unsetenv("TZ");
  ::tzset();
}

TEST(TemplateTest, WithoutTimeAPercentSignIsJustThat) {
  EXPECT_EQ(rendered("100% %Y %%", false, {}, "/f", "h", false), "100% %Y %%");
}

TEST(TemplateTest, ConstantMeansTheSameForEveryBatch) {
  EXPECT_TRUE(Template::parse("logs", {}, true)->is_constant());
  EXPECT_TRUE(Template::parse("logs-{{ env }}-100%%", {{"env", "prod"}}, true)->is_constant());
  EXPECT_TRUE(Template::parse("%Y", {}, false)->is_constant());
  for (const char* text : {"%Y", "%s", "{{ host }}", "{{ source }}", "{{ file }}", "{{ file_name }}"}) {
    EXPECT_FALSE(Template::parse(text, {}, true)->is_constant()) << text;
  }
}

TEST(TemplateTest, ErrorsNameThePlaceAndTheNearestField) {
  const auto without_fields = [](std::string_view text) {
    return Template::parse(text, {{"env", "x"}}, true)->unknown_field(0, {{"env", "x"}}, {}).message;
  };
  EXPECT_EQ(without_fields("a/{{ hots }}"), "unknown field \"hots\" at character 3: did you mean \"host\"?");
  EXPECT_THAT(without_fields("{{ enw }}"), HasSubstr("did you mean \"env\"?"));
  EXPECT_THAT(without_fields("{{ weather }}"),
              HasSubstr("expected one of source, host, file, file_name, env"));
  EXPECT_THAT(error_of("{{ }}"), HasSubstr("unknown field \"\" at character 1"));
  EXPECT_EQ(error_of("a{{ host }"), "\"{{\" without \"}}\" at character 2");
  EXPECT_THAT(error_of("a-%Q"),
              HasSubstr("unknown time specifier \"%Q\" at character 3: expected one of %Y"));
  EXPECT_THAT(error_of("100%"), HasSubstr("at character 4"));
  EXPECT_THAT(error_of("%c"), HasSubstr("unknown time specifier"));  // would depend on the locale
}

TEST(TemplateTest, OtherNamesAreFieldsOfEvents) {
  const auto with = [](std::string_view text, const Template::Values& values, bool for_path = false) {
    return rendered(text, for_path, {{"env", "prod"}}, "/f", "h", true, values);
  };
  EXPECT_EQ(with("{{ level }}/{{ user.id }}/{{level}}", {"INFO", "7"}), "INFO/7/INFO");
  EXPECT_EQ(with("{{ level ?? none }}-{{ user.id??x y }}-{{ a ?? }}", {}), "none-x y-");
  EXPECT_EQ(with("{{ level ?? none }}", {std::nullopt}), "none");
  EXPECT_EQ(with("{{ level ?? none }}", {""}), "") << "it is there";
  EXPECT_EQ(with("{{ level }}|{{ a ?? 100% %Y }}|{{ env }}", {"%Y {{ host }}", std::nullopt}),
            "%Y {{ host }}|100% %Y|prod")
      << "values are not looked into";
  EXPECT_EQ(with("/out/{{ level }}/{{ a }}/{{ b ?? ../up }}.log", {"../../etc", "", std::nullopt}, true),
            "/out/.._.._etc/_/.._up.log");
  const auto parsed = Template::parse("{{ a.b }}{{ host }}{{ c ?? d }}{{ a.b }}{{ @x-y/z }}", {}, true);
  EXPECT_EQ(parsed->fields(), (std::vector<std::string>{"a.b", "c", "@x-y/z"}));
  EXPECT_FALSE(Template::parse("{{ a }}", {}, true)->is_constant());
}

TEST(TemplateTest, NamesThatCannotBeFieldsAreErrors) {
  const auto error = [](std::string_view text) { return error_of(text, {{"env", "x"}}); };
  for (const std::string_view name : {"", ".", "a.", ".a", "a..b", "a b", "a|b", "a?b", "{{"})
    EXPECT_THAT(error("x{{ " + std::string(name) + " }}"), HasSubstr("unknown field \"")) << name;
  EXPECT_EQ(error("x{{ host ?? y }}"),
            "\"host\" is always there, so nothing belongs behind \"??\" at character 2");
  EXPECT_THAT(error("{{ env ?? y }}"), HasSubstr("always there"));
  const auto parsed = Template::parse("a/{{ lvel }}", {}, true);
  EXPECT_EQ(parsed->unknown_field(0, {}, {"level", "status"}).message,
            "unknown field \"lvel\" at character 3: did you mean \"level\"?");
  EXPECT_EQ(parsed->unknown_field(0, {}, {"host", "status"}).message,
            "unknown field \"lvel\" at character 3: expected one of source, host, file, file_name, status");
}

TEST(TemplateTest, InAPathNoValueAddsOrRemovesADirectory) {
  EXPECT_EQ(rendered("/out/{{ file }}", true), "/out/_var_log_app.log");
  EXPECT_EQ(rendered("/out/{{ host }}/x", true, {}, "/f", "../../etc"), "/out/.._.._etc/x");
  EXPECT_EQ(rendered("/out/{{ host }}/x", true, {}, "/f", ".."), "/out/_/x");
  EXPECT_EQ(rendered("/out/{{ host }}/x", true, {}, "/f", "."), "/out/_/x");
  EXPECT_EQ(rendered("/out/{{ host }}/x", true, {}, "/f", ""), "/out/_/x");
  EXPECT_EQ(rendered("/out/{{ host }}", true, {}, "/f", std::string_view("a\0b", 3)), "/out/a_b");
  EXPECT_EQ(rendered("/out/{{ env }}", true, {{"env", "eu/prod"}}), "/out/eu_prod");
  // Two harmless values side by side are harmless too.
  EXPECT_EQ(rendered("/out/{{ a }}{{ a }}/x", true, {{"a", "."}}), "/out/__/x");
  EXPECT_EQ(rendered("/out/.{{ a }}/x", true, {{"a", ""}}), "/out/._/x");
}

TEST(TemplateTest, InAPathALongValueIsCutBetweenCharacters) {
  EXPECT_EQ(rendered("{{ host }}", true, {}, "/f", std::string(1000, 'x')), std::string(200, 'x'));
  const std::string euro = "\u20ac";  // three bytes
  std::string host;
  for (int i = 0; i < 100; ++i) host += euro;
  EXPECT_EQ(rendered("{{ host }}", true, {}, "/f", host), host.substr(0, 198));
  EXPECT_EQ(rendered("{{ host }}", true, {}, "/f", std::string(1000, '\x80')).size(), 196u)
      << "not UTF-8: still cut";
}

TEST(TemplateTest, OutsideAPathValuesAreAsTheyAre) {
  EXPECT_EQ(rendered("{{ host }}", false, {}, "/f", "../a/b"), "../a/b");
  EXPECT_EQ(rendered("{{ host }}", false, {}, "/f", ""), "");
}

}  // namespace
}  // namespace logflume
