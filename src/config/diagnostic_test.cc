#include "config/diagnostic.h"

#include "config/config_test_fixture.h"

namespace logflume {
namespace {

using ::testing::HasSubstr;

TEST(DiagnosticTest, RendersLikeACompiler) {
  EXPECT_EQ(render(load_text(with("inclde: [\"x\"]")).diagnostics),
            "f.yaml:5:5: error: unknown key \"inclde\" in source \"app\" (type file)\n"
            "    5 |     inclde: [\"x\"]\n"
            "      |     ^~~~~~\n"
            "      = did you mean \"include\"?\n");
}

TEST(DiagnosticTest, TheCaretStandsUnderItsCharacterWhateverIsBefore) {
  const std::string shown =
      render(load_text(with("deleted_files: {\"\xc3\xa4\": 1, max_age: x}")).diagnostics);
  EXPECT_THAT(shown, HasSubstr("    5 |     deleted_files: {\"\xc3\xa4\": 1, max_age: x}\n"
                               "      |                                      ^\n"));
}

TEST(DiagnosticTest, LongLinesAreCutAroundThePlace) {
  const std::string text = "zzzz: [" + std::string(1000, 'x') + ", " + std::string(1000, 'y') + ", {a: [}]\n";
  const LoadedConfig loaded = load_text(text);
  ASSERT_EQ(loaded.diagnostics.size(), 1u);
  EXPECT_LE(loaded.diagnostics[0].source_line.size(), 170u);
  EXPECT_THAT(render(loaded.diagnostics), HasSubstr("{a: [}]"));
}

TEST(DiagnosticTest, ColoursOnlyWhenAsked) {
  const std::vector<Diagnostic> diagnostics = load_text("x: 1\n").diagnostics;
  EXPECT_EQ(render(diagnostics).find('\x1b'), std::string::npos);
  EXPECT_THAT(render(diagnostics, true), HasSubstr("\x1b[1;31merror\x1b[0m"));
}

TEST(DiagnosticTest, NoEscapeSequenceFromTheFileReachesTheTerminal) {
  const std::string shown = render(load_text(with("start_at: \"\\e[31m\"")).diagnostics);
  EXPECT_EQ(shown.find('\x1b'), std::string::npos);
  EXPECT_THAT(shown, HasSubstr("\"\\x1b[31m\" is not known"));
}

}  // namespace
}  // namespace logflume
