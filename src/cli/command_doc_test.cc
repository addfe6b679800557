// What is printed about the command line agrees with the command line.
#include "cli/command_doc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "cli/cli.h"

namespace logflume {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class CommandDocTest : public ::testing::Test {
 protected:
  CommandDocTest() : app_(make_app(chosen_)), root_(document(*app_)) {}

  template <typename Visit>
  static void each(const CommandDoc& command, const Visit& visit) {
    visit(command);
    for (const CommandDoc& inner : command.commands) each(inner, visit);
  }

  Command chosen_;
  std::unique_ptr<CLI::App> app_;
  CommandDoc root_;
};

TEST_F(CommandDocTest, EveryCommandOfTheContractIsThereAndDescribed) {
  std::vector<std::string> names;
  for (const CommandDoc& command : root_.commands) names.push_back(command.name);
  for (const char* name :
       {"run", "validate", "tail", "schema", "checkpoints", "generate", "completions", "man"}) {
    EXPECT_THAT(names, Contains(name));
  }
  each(root_, [](const CommandDoc& command) {
    EXPECT_THAT(command.description, Not(IsEmpty())) << command.path;
    for (const OptionDoc& option : command.options) {
      EXPECT_THAT(option.description, Not(IsEmpty())) << command.path << " " << option.names.front();
    }
  });
}

TEST_F(CommandDocTest, CompletionsAndManPageNameEverything) {
  const std::string bash = bash_completion(root_);
  const std::string zsh = zsh_completion(root_);
  const std::string fish = fish_completion(root_);
  const std::string man = man_page(root_);
  each(root_, [&](const CommandDoc& command) {
    EXPECT_THAT(bash, HasSubstr("'" + command.path + "')"));
    EXPECT_THAT(zsh, HasSubstr("('" + command.path + "')"));
    EXPECT_THAT(man, HasSubstr(command.name));
    for (const OptionDoc& option : command.options) {
      if (option.positional) continue;
      for (const std::string& name : option.names) {
        EXPECT_THAT(bash, HasSubstr(name));
        EXPECT_THAT(zsh, HasSubstr("'" + name + ":"));
        EXPECT_THAT(fish,
                    HasSubstr(name.starts_with("--") ? "-l " + name.substr(2) : "-s " + name.substr(1)));
      }
    }
  });
}

}  // namespace
}  // namespace logflume
