// The command line as data, read from the same descriptions that parse it: what completions and the man page
// are made from.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace logflume {

struct OptionDoc {
  std::vector<std::string> names;  // "-c", "--config"; one bare name for a positional argument
  std::string value;               // "FILE"; empty for a flag
  std::string description;
  bool positional = false;
  bool required = false;
};

struct CommandDoc {
  std::string path;  // "logflume checkpoints list"
  std::string name;  // "list"
  std::string description;
  std::vector<OptionDoc> options;
  std::vector<CommandDoc> commands;
};

CommandDoc document(const CLI::App& app);

std::string bash_completion(const CommandDoc& root);
std::string zsh_completion(const CommandDoc& root);
std::string fish_completion(const CommandDoc& root);
// roff, section 1.
std::string man_page(const CommandDoc& root);

}  // namespace logflume
