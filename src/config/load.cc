#include "config/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <set>
#include <unordered_map>

#include "config/catalog.h"
#include "config/feedback.h"
#include "config/files.h"
#include "config/plan.h"

namespace logflume {
namespace {

constexpr std::size_t kNameBytesMax = 128;
constexpr const char* kSources = "sources";
constexpr const char* kTransforms = "transforms";
constexpr const char* kSinks = "sinks";
constexpr const char* kTests = "tests";

bool is_component_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") ==
             std::string_view::npos;
}

// Merges the files' trees and turns them into one Config.
class Loader {
 public:
  Loader(const Environment& environment, LoadOptions options)
      : environment_(environment), binder_(diagnostics_, options) {}

  Diagnostics& diagnostics() { return diagnostics_; }

  LoadedConfig load(std::vector<std::pair<std::string, std::string>> files) {
    for (auto& [name, text] : files) add_file(std::move(name), std::move(text));
    if (!sources_read_.empty()) build();
    LoadedConfig out;
    if (diagnostics_.errors() == 0) {
      set_latencies();
      out.config = std::move(config_);
    }
    out.diagnostics = diagnostics_.take();
    return out;
  }

 private:
  // `sources:`, `transforms:` or `sinks:` of all files together.
  struct Group {
    const char* key;
    std::vector<YamlEntry> entries;
    std::unordered_map<std::string, Position> names;
  };

  // A source that says nothing of it has the shortest that its sinks allow.
  void set_latencies() {
    for (auto& [name, any] : config_.sources) {
      auto* file = std::get_if<FileSourceConfig>(&any);
      if (file == nullptr || file->latency) continue;
      std::optional<Duration> shortest;
      bool at_once = false;
      for (const auto& [sink_name, any_sink] : config_.sinks) {
        const SinkConfig& sink =
            std::visit([](const SinkConfig& one) -> const SinkConfig& { return one; }, any_sink);
        if (!feeds(config_, name, sink_name)) continue;
        const std::optional<Duration> allowed = sink.latency ? sink.latency : config_.latency;
        at_once |= !allowed;
        if (allowed) shortest = shortest ? std::min(*shortest, *allowed) : *allowed;
      }
      if (!at_once) file->latency = shortest;
    }
  }

  void add_file(std::string name, std::string text) {
    const SourceText& source = sources_read_.emplace_back(std::move(name), std::move(text));
    diagnostics_.note_file(source.name());
    std::optional<YamlNode> root = parse_yaml(source, diagnostics_);
    if (!root) {
      incomplete_ = true;
      return;
    }
    if (root->kind != YamlNode::Kind::kMap && root->kind != YamlNode::Kind::kNull) {
      diagnostics_.error(root->at, fmt::format("a configuration is a map, not {}", describe_kind(root->kind)),
                         "keys such as \"sources\" and \"sinks\"");
      incomplete_ = true;
      return;
    }
    expand_variables(*root, environment_, diagnostics_);
    std::unordered_map<std::string, Position> groups_seen;
    for (YamlEntry& entry : root->entries) {
      const std::string& key = entry.key.text;
      if (key == "version") {
        check_version(entry);
      } else if (Group* group = find_group(key)) {
        if (const auto [first, fresh] = groups_seen.emplace(key, entry.key.at); !fresh) {
          diagnostics_.error(entry.key.at, fmt::format("duplicate key \"{}\"", key), {},
                             fmt::format("first defined at {}", first->second.text()));
        }
        add_components(*group, entry);
      } else if (key == kTests) {
        for (const YamlEntry& test : entry.value.entries) test_positions_.emplace(test.key.text, test.key.at);
        for (TestCase& test : read_test_cases(entry.value, diagnostics_))
          config_.tests.push_back(std::move(test));
      } else {
        top_.entries.push_back(std::move(entry));
      }
    }
  }

  Group* find_group(std::string_view key) {
    for (Group* group : {&sources_, &transforms_, &sinks_}) {
      if (key == group->key) return group;
    }
    return nullptr;
  }

  void check_version(const YamlEntry& entry) {
    if (entry.value.broken || (entry.value.kind == YamlNode::Kind::kScalar && entry.value.text == "1"))
      return;
    diagnostics_.error(
        entry.value.at,
        fmt::format("version: {} is not known", entry.value.kind == YamlNode::Kind::kScalar
                                                    ? "\"" + excerpt(entry.value.text) + "\""
                                                    : std::string(describe_kind(entry.value.kind))),
        "1");
  }

  void add_components(Group& group, YamlEntry& entry) {
    if (entry.value.kind == YamlNode::Kind::kNull) return;
    if (entry.value.kind != YamlNode::Kind::kMap) {
      diagnostics_.error(entry.value.at, fmt::format("{} is {}", group.key, describe_kind(entry.value.kind)),
                         "a map from names to components");
      incomplete_ = true;
      return;
    }
    for (YamlEntry& component : entry.value.entries) {
      const std::string& name = component.key.text;
      if (const auto [first, fresh] = group.names.emplace(name, component.key.at); !fresh) {
        diagnostics_.error(component.key.at,
                           fmt::format("duplicate name \"{}\" in {}", excerpt(name), group.key), {},
                           fmt::format("first defined at {}", first->second.text()));
        continue;
      }
      if (!is_component_name(name)) {
        diagnostics_.error(component.key.at, fmt::format("\"{}\" is not a component's name", excerpt(name)),
                           fmt::format("letters, digits, \"_\", \".\" and \"-\", at most {}", kNameBytesMax));
      }
      group.entries.push_back(std::move(component));
    }
  }

  void build() {
    Position begin;
    begin.source = &sources_read_.front();
    top_.kind = YamlNode::Kind::kMap;
    top_.at = begin;
    binder_.object(top_, top_level(), &config_, "the configuration",
                   {"version", kSources, kTransforms, kSinks, kTests}, begin);

    bind_group(sources_, source_types(), config_.sources, "source");
    bind_group(sinks_, sink_types(), config_.sinks, "sink");
    bind_group(transforms_, transform_types(), config_.transforms, "transform");
    check_names();
    // What a broken file would have held is not known: nothing is missing for sure.
    if (!incomplete_) {
      check_presence(begin);
      check_inputs();
      check_cycles();
      check_unused();
    }
    check_former_names();
    check_shared_outputs();
    check_labels();
    check_feedback();
    check_limits();
    // Of a configuration that is right so far.
    if (!incomplete_ && diagnostics_.errors() == 0) plan();
  }

  // The transforms are compiled, which is when it is known whether their expressions are right.
  void plan() {
    auto planned = plan_transforms(config_);
    if (const auto* const errors = std::get_if<std::vector<PlanError>>(&planned)) {
      for (const PlanError& error : *errors) report(error);
      return;
    }
    config_.plan = std::get<std::shared_ptr<const TransformPlan>>(std::move(planned));
    check_outputs();
    check_templates();
    check_unread();
    check_effects();
    check_tests();
  }

  // Tests name what is there.
  void check_tests() {
    for (const TestCase& test : config_.tests) {
      const auto at = test_positions_.find(test.name);
      const auto fail = [&](std::string message) {
        diagnostics_.error(at->second, fmt::format("test \"{}\": {}", excerpt(test.name), message));
      };
      if (!config_.sources.contains(test.insert_at) && !config_.transforms.contains(test.insert_at))
        fail(fmt::format("insert_at: there is no source or transform \"{}\"", excerpt(test.insert_at)));
      for (const TestCase::Output& output : test.outputs) {
        if (!config_.sources.contains(output.from) && !config_.plan->find(output.from))
          fail(fmt::format("outputs: nothing has the name \"{}\"", excerpt(output.from)));
      }
    }
  }

  void report(const PlanError& error) {
    const auto entry = std::ranges::find_if(
        transforms_.entries, [&](const YamlEntry& one) { return one.key.text == error.transform; });
    const YamlNode* node = &entry->value;
    const std::string& key = error.error.key;
    const std::size_t dot = key.find('.');
    if (const YamlNode* const found = node->find(key.substr(0, dot)); found != nullptr) {
      node = found;
      const YamlNode* const inner = dot == std::string::npos ? nullptr : node->find(key.substr(dot + 1));
      if (inner != nullptr) node = inner;
    }
    diagnostics_.error(place_in(*node, error.error.at), fmt::format("{}: {}", key, error.error.message), {},
                       error.error.hint);
  }

  // A place inside a text that stands on one line as it is; else that of the text.
  static Position place_in(const YamlNode& node, std::size_t at) {
    Position place = node.at;
    if (at == SIZE_MAX || place.source == nullptr) return place;
    const std::string_view line = place.source->line(place.line);
    const std::size_t begin = line.find(node.text, place.column - 1);
    if (begin == std::string_view::npos) return place;
    place.column = static_cast<std::uint32_t>(begin + at + 1);
    place.length = 1;
    return place;
  }

  // What is named as an output of a transform is one.
  void check_outputs() {
    for (const Group* group : {&transforms_, &sinks_}) {
      for (const YamlEntry& entry : group->entries) {
        for (const YamlNode* input : inputs_of(entry)) {
          if (sources_.names.contains(input->text)) continue;
          const bool whole = transforms_.names.contains(input->text);
          const auto [name, output] = whole ? std::pair<std::string_view, std::string_view>(input->text, "")
                                            : split_output(input->text);
          const auto node = std::ranges::find(config_.plan->nodes(), name, &TransformPlan::Node::name);
          if (node == config_.plan->nodes().end()) continue;
          if (std::ranges::find(node->outputs, output) != node->outputs.end()) continue;
          std::vector<std::string> outputs;
          for (const std::string& one : node->outputs) {
            if (!one.empty()) outputs.push_back(fmt::format("{}.{}", name, one));
          }
          diagnostics_.error(
              input->at, fmt::format("inputs: \"{}\" has no output \"{}\"", excerpt(name), excerpt(output)),
              outputs.empty() ? fmt::format("\"{}\"", name) : quoted_list(outputs));
        }
      }
    }
  }

  // Fields that sinks' templates name are there, as far as that is known.
  void check_templates() {
    for (const UnknownField& unknown : unknown_fields(config_)) {
      const auto entry = std::ranges::find_if(
          sinks_.entries, [&](const YamlEntry& one) { return one.key.text == unknown.sink; });
      diagnostics_.error(entry->value.find_below(unknown.key)->value.at,
                         fmt::format("{}: {}", unknown.key, unknown.message));
    }
  }

  // What a transform does beside what comes out of it is done while some sink reads the source.
  void check_effects() {
    const auto& nodes = config_.plan->nodes();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (!nodes[i].transform->has_effect()) continue;
      const bool runs = std::ranges::any_of(config_.sources, [&](const auto& source) {
        return config_.plan->reaches(source.first, i) &&
               std::ranges::any_of(config_.sinks, [&](const auto& sink) {
                 return config_.plan->feeds(source.first, sink.first);
               });
      });
      if (runs) continue;
      const auto entry = std::ranges::find_if(
          transforms_.entries, [&](const YamlEntry& one) { return one.key.text == nodes[i].name; });
      diagnostics_.warning(
          entry->key.at,
          fmt::format("transform \"{}\" sees no event: no sink reads its source", excerpt(nodes[i].name)),
          "a sink of type blackhole would");
    }
  }

  // A way that ends nowhere.
  void check_unread() {
    std::set<std::string, std::less<>> read;
    for (const Group* group : {&transforms_, &sinks_}) {
      for (const YamlEntry& entry : group->entries) {
        for (const YamlNode* input : inputs_of(entry)) {
          read.insert(input->text);
          read.emplace(split_output(input->text).first);
        }
      }
    }
    for (const YamlEntry& entry : transforms_.entries) {
      const auto node = std::ranges::find(config_.plan->nodes(), entry.key.text, &TransformPlan::Node::name);
      if (read.contains(entry.key.text) || node->transform->has_effect()) continue;
      diagnostics_.warning(entry.key.at,
                           fmt::format("transform \"{}\" is not used: nobody has it among its inputs",
                                       excerpt(entry.key.text)));
    }
  }

  template <typename Any>
  void bind_group(Group& group, const std::vector<ComponentType<Any>>& types,
                  std::map<std::string, Any>& into, const char* role) {
    std::vector<std::string> names;
    for (const auto& type : types) names.push_back(type.name);
    for (const YamlEntry& entry : group.entries) {
      const std::string who = fmt::format("{} \"{}\"", role, excerpt(entry.key.text));
      const YamlNode* type_node = type_of(entry, who, names);
      if (type_node == nullptr) continue;
      const auto type = std::find_if(types.begin(), types.end(),
                                     [&](const auto& one) { return one.name == type_node->text; });
      if (type == types.end()) {
        binder_.unknown(type_node->at, fmt::format("unknown {} type \"{}\"", role, excerpt(type_node->text)),
                        type_node->text, names);
        continue;
      }
      Any made = type->make();
      binder_.object(entry.value, type->description, type->inner(made),
                     fmt::format("{} (type {})", who, type->name), {"type"}, entry.key.at);
      into.emplace(entry.key.text, std::move(made));
    }
  }

  // The node of the component's `type`; nullptr, reported, when there is none to go by.
  const YamlNode* type_of(const YamlEntry& entry, const std::string& who,
                          const std::vector<std::string>& names) {
    if (entry.value.kind != YamlNode::Kind::kMap) {
      if (!entry.value.broken) {
        diagnostics_.error(entry.value.at, fmt::format("{} is {}", who, describe_kind(entry.value.kind)),
                           "a map with \"type\" and the keys of that type");
      }
      return nullptr;
    }
    const YamlNode* type = entry.value.find("type");
    if (type == nullptr || type->kind != YamlNode::Kind::kScalar) {
      diagnostics_.error(type == nullptr ? entry.key.at : type->at, fmt::format("{} needs \"type\"", who),
                         names.empty() ? "" : quoted_list(names));
      return nullptr;
    }
    return type->broken ? nullptr : type;
  }

  void check_names() {
    for (const Group* group : {&transforms_, &sinks_}) {
      for (const auto& [name, at] : group->names) {
        const auto source = sources_.names.find(name);
        const auto transform = group == &sinks_ ? transforms_.names.find(name) : transforms_.names.end();
        const Position* other = source != sources_.names.end()         ? &source->second
                                : transform != transforms_.names.end() ? &transform->second
                                                                       : nullptr;
        if (other == nullptr) continue;
        diagnostics_.error(at, fmt::format("the name \"{}\" is taken", excerpt(name)),
                           "a name of its own for each component",
                           fmt::format("first defined at {}", other->text()));
      }
    }
  }

  // A former name is nobody's now, and one component's before.
  void check_former_names() {
    std::map<std::string, const YamlEntry*> claims;
    for (const Group* group : {&sources_, &sinks_}) {
      for (const YamlEntry& entry : group->entries) {
        const YamlNode* node = entry.value.find("formerly");
        if (node == nullptr || node->broken || node->kind != YamlNode::Kind::kScalar) continue;
        const auto [first, fresh] = claims.emplace(node->text, &entry);
        for (const Group* other : {&sources_, &transforms_, &sinks_}) {
          const auto taken = other->names.find(node->text);
          if (taken == other->names.end()) continue;
          diagnostics_.error(
              node->at, fmt::format("formerly: \"{}\" is configured still", excerpt(node->text)),
              "a name that no component has now", fmt::format("defined at {}", taken->second.text()));
        }
        if (!fresh) {
          diagnostics_.error(
              node->at,
              fmt::format("formerly: \"{}\" claims that name too", excerpt(first->second->key.text)),
              "a name that only one component had");
        }
      }
    }
  }

  void check_presence(const Position& begin) {
    for (const Group* group : {&sources_, &sinks_}) {
      if (!group->entries.empty()) continue;
      diagnostics_.error(
          begin, fmt::format("no {}: nothing to {}", group->key, group == &sources_ ? "read" : "deliver to"),
          fmt::format("\"{}\" with at least one component", group->key));
    }
  }

  static std::vector<const YamlNode*> inputs_of(const YamlEntry& entry) {
    std::vector<const YamlNode*> out;
    const YamlNode* inputs = entry.value.find("inputs");
    if (inputs == nullptr || inputs->broken) return out;
    if (inputs->kind == YamlNode::Kind::kScalar && !inputs->text.empty()) out.push_back(inputs);
    for (const YamlNode& item : inputs->items) {
      if (item.kind == YamlNode::Kind::kScalar && !item.broken && !item.text.empty()) out.push_back(&item);
    }
    return out;
  }

  void check_inputs() {
    std::vector<std::string> known;
    for (const Group* group : {&sources_, &transforms_}) {
      for (const YamlEntry& entry : group->entries) known.push_back(entry.key.text);
    }
    for (const Group* group : {&transforms_, &sinks_}) {
      for (const YamlEntry& entry : group->entries) {
        std::unordered_map<std::string_view, const YamlNode*> seen;
        for (const YamlNode* input : inputs_of(entry)) {
          if (!seen.emplace(input->text, input).second) {
            diagnostics_.error(input->at,
                               fmt::format("inputs: \"{}\" stands twice: its events would be sent twice",
                                           excerpt(input->text)));
          } else if (input->text == entry.key.text) {
            diagnostics_.error(input->at,
                               fmt::format("inputs: \"{}\" is its own input", excerpt(input->text)));
          } else if (sinks_.names.contains(input->text) && !sources_.names.contains(input->text)) {
            diagnostics_.error(input->at,
                               fmt::format("inputs: \"{}\" is a sink, and nothing comes out of a sink",
                                           excerpt(input->text)),
                               "the name of a source or transform");
          } else if (!sources_.names.contains(input->text) && !transforms_.names.contains(input->text) &&
                     !transforms_.names.contains(std::string(split_output(input->text).first))) {
            binder_.unknown(input->at, fmt::format("inputs: unknown input \"{}\"", excerpt(input->text)),
                            input->text, known);
          }
        }
      }
    }
  }

  // Transforms that feed each other in a ring would hand the same events around for ever.
  void check_cycles() {
    std::unordered_map<std::string_view, const YamlEntry*> by_name;
    for (const YamlEntry& entry : transforms_.entries) by_name.emplace(entry.key.text, &entry);
    enum class Mark { kNew, kOnPath, kDone };
    std::unordered_map<const YamlEntry*, Mark> marks;
    struct Step {
      const YamlEntry* entry;
      std::vector<const YamlNode*> inputs;
      std::size_t next = 0;
    };
    for (const YamlEntry& start : transforms_.entries) {
      if (marks[&start] != Mark::kNew) continue;
      std::vector<Step> path;
      path.push_back({&start, inputs_of(start)});
      marks[&start] = Mark::kOnPath;
      while (!path.empty()) {
        Step& step = path.back();
        if (step.next == step.inputs.size()) {
          marks[step.entry] = Mark::kDone;
          path.pop_back();
          continue;
        }
        const YamlNode* input = step.inputs[step.next++];
        auto found = by_name.find(input->text);
        if (found == by_name.end()) found = by_name.find(split_output(input->text).first);
        if (found == by_name.end() || (found->second == step.entry && input->text == found->first)) continue;
        if (marks[found->second] == Mark::kOnPath) {
          std::string ring = excerpt(found->second->key.text);
          for (auto back = path.rbegin(); back != path.rend() && ring.size() < 500; ++back) {
            ring += " <- " + excerpt(back->entry->key.text);
            if (back->entry == found->second) break;
          }
          diagnostics_.error(input->at, fmt::format("inputs form a cycle: {}", ring));
        } else if (marks[found->second] == Mark::kNew) {
          marks[found->second] = Mark::kOnPath;
          path.push_back({found->second, inputs_of(*found->second)});
        }
      }
    }
  }

  void check_unused() {
    std::unordered_map<std::string_view, bool> used;
    for (const Group* group : {&transforms_, &sinks_}) {
      for (const YamlEntry& entry : group->entries) {
        for (const YamlNode* input : inputs_of(entry)) used[input->text] = true;
      }
    }
    for (const YamlEntry& entry : sources_.entries) {
      if (used.contains(entry.key.text)) continue;
      diagnostics_.warning(
          entry.key.at,
          fmt::format("source \"{}\" is not used: nobody has it among its inputs", excerpt(entry.key.text)));
    }
  }

  // Two sinks that append to one file would tear each other's lines. What only the file system can tell
  // (links, rendered templates) the sinks find out when they open it.
  void check_shared_outputs() {
    std::error_code ignored;
    const std::filesystem::path directory = std::filesystem::current_path(ignored);
    std::map<std::string, const YamlEntry*> owners;
    for (const YamlEntry& entry : sinks_.entries) {
      const auto sink = config_.sinks.find(entry.key.text);
      if (sink == config_.sinks.end()) continue;
      const auto* file = std::get_if<FileSinkConfig>(&sink->second);
      if (file == nullptr || file->path.empty()) continue;
      const auto [first, fresh] =
          owners.emplace((directory / file->path).lexically_normal().string(), &entry);
      if (fresh) continue;
      const YamlNode* path = entry.value.find("path");
      diagnostics_.error(
          path == nullptr ? entry.key.at : path->at,
          fmt::format("path: {} is written by sink \"{}\" too", excerpt(file->path), first->second->key.text),
          "a file of its own for each sink",
          fmt::format("first defined at {}", first->second->key.at.text()));
    }
  }

  void check_feedback() {
    std::error_code ignored;
    const std::string directory = std::filesystem::current_path(ignored).string();
    for (const YamlEntry& entry : sinks_.entries) {
      const auto sink = config_.sinks.find(entry.key.text);
      const auto* file = sink == config_.sinks.end() ? nullptr : std::get_if<FileSinkConfig>(&sink->second);
      if (file == nullptr) continue;
      const std::optional<std::string> source =
          feeds_itself(*file, config_, directory.empty() ? "/" : directory);
      const YamlNode* path = entry.value.find("path");
      if (!source || path == nullptr) continue;
      diagnostics_.error(
          path->at,
          fmt::format("path: {} is among the files of source \"{}\": its events would come back for ever",
                      excerpt(file->path), *source),
          {}, "write elsewhere, or name the file in the source's \"exclude\"");
    }
  }

  // A label may replace a field of each JSON event, but never the event itself.
  void check_labels() {
    for (const YamlEntry& entry : sinks_.entries) {
      const auto sink = config_.sinks.find(entry.key.text);
      const YamlNode* labels = entry.value.find("labels");
      if (sink == config_.sinks.end() || labels == nullptr) continue;
      if (std::visit([](const SinkConfig& one) { return one.encoding; }, sink->second) != Encoding::kJson)
        continue;
      for (const YamlEntry& label : labels->entries) {
        const std::string& name = label.key.text;
        if (name == "message") {
          diagnostics_.warning(label.key.at, "labels: \"message\" is left out: it is the event itself");
        } else if (name == "file" || name == "source" || name == "host" || name == "timestamp") {
          diagnostics_.warning(label.key.at,
                               fmt::format("labels: \"{}\" takes the place of each event's own", name));
        }
      }
    }
  }

  void check_limits() {
    for (const YamlEntry& entry : sources_.entries) {
      const auto source = config_.sources.find(entry.key.text);
      if (source == config_.sources.end()) continue;
      const auto* file = std::get_if<FileSourceConfig>(&source->second);
      if (file == nullptr || file->max_line_bytes <= config_.memory_limit / 4) continue;
      const YamlNode* node = entry.value.find("max_line_bytes");
      diagnostics_.error(node == nullptr ? entry.key.at : node->at,
                         "max_line_bytes: one line could fill the memory_limit",
                         "at most a quarter of memory_limit");
    }
  }

  const Environment& environment_;
  Diagnostics diagnostics_;
  Binder binder_;
  std::deque<SourceText> sources_read_;  // nodes point into them
  YamlNode top_;
  Group sources_{kSources, {}, {}};
  Group transforms_{kTransforms, {}, {}};
  Group sinks_{kSinks, {}, {}};
  std::map<std::string, Position> test_positions_;
  bool incomplete_ = false;  // a file could not be parsed
  Config config_;
};

}  // namespace

LoadedConfig load_config(const std::vector<std::string>& paths, const Environment& environment,
                         LoadOptions options) {
  Loader loader(environment, options);
  if (paths.empty()) loader.diagnostics().file_error("", "no configuration file is named");
  std::vector<std::pair<std::string, std::string>> files = read_config_files(paths, loader.diagnostics());
  return loader.load(std::move(files));
}

LoadedConfig load_config_texts(std::vector<std::pair<std::string, std::string>> files,
                               const Environment& environment, LoadOptions options) {
  return Loader(environment, options).load(std::move(files));
}

}  // namespace logflume
