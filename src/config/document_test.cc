#include "config/document.h"

#include "config/config_test_fixture.h"

namespace logflume {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

struct Parsed {
  explicit Parsed(std::string text) : source("f.yaml", std::move(text)) {
    Diagnostics collected;
    root = parse_yaml(source, collected);
    diagnostics = collected.take();
  }
  // "LINE:COLUMN: message" of the first diagnostic.
  std::string error() const {
    if (diagnostics.empty()) return "";
    const Diagnostic& one = diagnostics.front();
    return std::to_string(one.line) + ":" + std::to_string(one.column) + ": " + one.message;
  }

  SourceText source;
  std::optional<YamlNode> root;
  std::vector<Diagnostic> diagnostics;
};

TEST(DocumentTest, EveryNodeKnowsWhereItStood) {
  const Parsed parsed("a: 1\nb:\n  - x\n  - {c: 'y'}\n");
  ASSERT_TRUE(parsed.root);
  ASSERT_THAT(parsed.root->entries, SizeIs(2));
  const YamlNode& list = parsed.root->entries[1].value;
  EXPECT_EQ(parsed.root->entries[1].key.at.text(), "f.yaml:2:1");
  EXPECT_EQ(list.items[0].at.text(), "f.yaml:3:5");
  EXPECT_EQ(list.items[1].entries[0].key.at.text(), "f.yaml:4:6");
  EXPECT_EQ(list.items[1].entries[0].value.at.text(), "f.yaml:4:9");
  EXPECT_EQ(list.items[1].entries[0].value.at.length, 3u) << "quotes included";
}

TEST(DocumentTest, SyntaxErrorsArePlaced) {
  EXPECT_THAT(Parsed("a: [1\n").error(), StartsWith("1:"));
  EXPECT_THAT(Parsed("a: 1\n\tb: 2\n").error(), StartsWith("2:"));
  EXPECT_THAT(Parsed("a: \"x\n").error(), HasSubstr("not valid YAML: "));
  EXPECT_THAT(Parsed("a: 'x\nb: 1\n \n").error(), HasSubstr("not valid YAML: "));
  EXPECT_THAT(Parsed("a: *nowhere\n").error(), StartsWith("1:4: not valid YAML: "));
  EXPECT_EQ(Parsed("a: 1\n---\nb: 2\n").error(), "3:1: a second YAML document in one file");
  EXPECT_EQ(Parsed("a: !include x\n").error(), "1:4: the tag \"!include\" has no meaning here");
  EXPECT_EQ(Parsed("[a]: 1\n").error(), "1:1: a key must be a plain name");
}

TEST(DocumentTest, AnUnquotedVariableInAFlowMapIsExplained) {
  const Parsed parsed("a: {b: ${VAR}}\n");
  ASSERT_THAT(parsed.diagnostics, SizeIs(1));
  EXPECT_THAT(parsed.diagnostics[0].hint, HasSubstr("must be quoted"));
}

TEST(DocumentTest, OnlyTextIsAccepted) {
  EXPECT_EQ(Parsed("a: 1\nb: \x01\n").error(), "2:4: byte 0x01 is not text");
  EXPECT_EQ(Parsed("a: \xff\n").error(), "1:4: byte 0xff is not text");
  EXPECT_EQ(Parsed("a: \xed\xa0\x80\n").error(), "1:4: byte 0xed is not text") << "a surrogate";
  EXPECT_EQ(Parsed("a: \xc0\xaf\n").error(), "1:4: byte 0xc0 is not text") << "overlong";
  EXPECT_EQ(Parsed(std::string("a: \0b\n", 6)).error(), "1:4: byte 0x00 is not text");
  EXPECT_EQ(Parsed("a: \x04\n").error(), "1:4: byte 0x04 is not text") << "the library takes it for the end";
  EXPECT_TRUE(Parsed("a: gr\xc3\xbc\xc3\x9f\xf0\x9f\xaa\xb5\r\n").root);
}

TEST(DocumentTest, AliasesAndMergeKeysAreExpanded) {
  const Parsed parsed("base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: *b\n");
  ASSERT_TRUE(parsed.root);
  const YamlNode* one = parsed.root->find("one");
  EXPECT_EQ(one->find("x")->text, "1");
  EXPECT_EQ(one->find("y")->text, "3");
  EXPECT_THAT(one->entries, SizeIs(2));
  EXPECT_EQ(parsed.root->find("two")->find("y")->text, "2");
  EXPECT_THAT(Parsed("a: {<<: 5}\n").error(), StartsWith("1:5: \"<<\" takes a map"));
}

TEST(DocumentTest, DuplicateKeysAreKeptForTheReport) {
  EXPECT_THAT(Parsed("a: 1\na: 2\n").root->entries, SizeIs(2));
}

TEST(DocumentTest, HostileDocumentsAreRefusedInBoundedTime) {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) laughs += (k == 0 ? "" : ", ") + last;
    laughs += "]\n";
  }
  EXPECT_THAT(Parsed(laughs).error(), HasSubstr("more than 100000 values, aliases expanded"));
  EXPECT_THAT(Parsed("a: &a [*a]\n").error(), HasSubstr("an alias stands inside its own anchor"));
  EXPECT_THAT(Parsed("a: " + std::string(10'000, '[')).error(), HasSubstr("nested deeper than 64 levels"));
  std::string wide = "a: [";
  for (int i = 0; i < 200'000; ++i) wide += "x,";
  EXPECT_THAT(Parsed(wide + "]\n").error(), HasSubstr("more than 100000 values"));
  EXPECT_EQ(Parsed("a: 1\nb: " + std::string(kConfigLineBytesMax, '{') + "\n").error(),
            "2:1: a line longer than 1 MiB");
  std::string fat = "a: &a \"" + std::string(1'000'000, 'x') + "\"\nb: [";
  for (int i = 0; i < 100; ++i) fat += "*a, ";
  EXPECT_THAT(Parsed(fat + "]\n").error(), HasSubstr("too much text"));
}

TEST(DocumentTest, DiagnosticsAreCounted) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "key" + std::to_string(i) + ": 1\n";
  const LoadedConfig loaded = load_text(text);
  ASSERT_THAT(loaded.diagnostics, SizeIs(Diagnostics::kMax + 1));
  EXPECT_EQ(loaded.diagnostics.back().message, "and 902 more") << "1000 keys, no sources, no sinks";
}

}  // namespace
}  // namespace logflume
