#include "config/environment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

#include "base/nearest_name.h"

namespace logflume {
namespace {

bool starts_name(char c) { return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool continues_name(char c) { return starts_name(c) || (c >= '0' && c <= '9'); }

class Expander {
 public:
  Expander(const Environment& environment, Diagnostics& diagnostics)
      : environment_(environment), diagnostics_(diagnostics) {}

  void walk(YamlNode& node) {
    if (node.kind == YamlNode::Kind::kScalar) expand(node);
    for (YamlNode& item : node.items) walk(item);
    for (YamlEntry& entry : node.entries) walk(entry.value);
  }

 private:
  void expand(YamlNode& node) {
    const std::string_view text = node.text;
    if (text.find('$') == std::string_view::npos) return;
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
      if (text[i] != '$' || i + 1 == text.size()) {
        out += text[i++];
      } else if (text[i + 1] == '$') {
        out += '$';
        i += 2;
      } else if (text[i + 1] == '{') {
        const std::size_t end = text.find('}', i);
        if (end == std::string_view::npos) {
          return fail(node, i, "\"${\" is not closed", "${VAR}, ${VAR:-default}, or $$ for a dollar sign");
        }
        if (!substitute(node, i, text.substr(i + 2, end - i - 2), out)) return;
        i = end + 1;
      } else {
        out += text[i++];
      }
    }
    bytes_ += out.size();
    if (bytes_ > kConfigTextBytesMax) return fail(node, 0, "too much text, variables expanded", "");
    node.text = std::move(out);
  }

  bool substitute(YamlNode& node, std::size_t offset, std::string_view inside, std::string& out) {
    std::size_t length = 0;
    while (length < inside.size() && (length == 0 ? starts_name : continues_name)(inside[length])) ++length;
    const std::string name(inside.substr(0, length));
    const std::string_view rest = inside.substr(length);
    if (name.empty() || (!rest.empty() && !rest.starts_with(":-"))) {
      fail(node, offset, fmt::format("\"${{{}}}\" is not a variable", excerpt(inside)),
           "${VAR}, ${VAR:-default}, or $$ for a dollar sign");
      return false;
    }
    const std::string* value = environment_.get(name);
    if (!rest.empty() && (value == nullptr || value->empty())) {
      out += rest.substr(2);
    } else if (value != nullptr) {
      out += *value;
    } else {
      std::string hint = fmt::format("set it, or give a default: ${{{}:-...}}", name);
      if (const std::string near = nearest_name(name, environment_.names()); !near.empty()) {
        hint = fmt::format("did you mean \"{}\"? Or give a default: ${{{}:-...}}", near, name);
      }
      fail(node, offset, fmt::format("the environment variable \"{}\" is not set", name), "", hint);
      return false;
    }
    if (out.size() > kConfigTextBytesMax) {
      fail(node, offset, "too much text, variables expanded", "");
      return false;
    }
    return true;
  }

  // Points at the `$` where the value stands as written; at the value's beginning where escapes or folding
  // moved it.
  void fail(YamlNode& node, std::size_t offset, std::string message, std::string expected,
            std::string hint = {}) {
    node.broken = true;
    Position at = node.at;
    if (at.source != nullptr) {
      const std::string_view line = at.source->line(at.line);
      const std::string_view tail = std::string_view(node.text).substr(offset, 2);
      for (const std::size_t quote : {0U, 1U}) {
        const std::size_t where = at.column - 1 + quote + offset;
        if (where + 2 <= line.size() && tail.size() == 2 && line.substr(where, 2) == tail) {
          at.column = static_cast<std::uint32_t>(where + 1);
          const std::size_t close = line.find('}', where);
          at.length = close == std::string_view::npos ? 1 : static_cast<std::uint32_t>(close - where + 1);
          break;
        }
      }
    }
    diagnostics_.error(at, std::move(message), std::move(expected), std::move(hint));
  }

  const Environment& environment_;
  Diagnostics& diagnostics_;
  std::size_t bytes_ = 0;
};

}  // namespace

Environment Environment::of_process() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const char* equals = std::strchr(*entry, '=');
    if (equals != nullptr)
      variables.emplace(std::string(static_cast<const char*>(*entry), equals), equals + 1);
  }
  return Environment(std::move(variables));
}

const std::string* Environment::get(const std::string& name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? nullptr : &found->second;
}

std::vector<std::string> Environment::names() const {
  std::vector<std::string> out;
  for (const auto& [name, value] : variables_) out.push_back(name);
  return out;
}

void expand_variables(YamlNode& root, const Environment& environment, Diagnostics& diagnostics) {
  Expander(environment, diagnostics).walk(root);
}

}  // namespace logflume
