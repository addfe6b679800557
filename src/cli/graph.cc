// logflume graph: which way events go, as text, DOT or SVG.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>

#include "cli/commands.h"
#include "cli/config_files.h"
#include "cli/exit_codes.h"
#include "config/plan.h"
#include "topology/components.h"

namespace logflume {
namespace {

struct Box {
  std::string name;
  std::string kind;  // "source"
  std::string type;
  std::vector<std::string> notes;                           // what it reads and writes
  std::vector<std::pair<std::size_t, std::string>> inputs;  // which box, and by which of its outputs
  std::size_t column = 0;                                   // by the longest way from a source
};

std::string listed(const WantedFields& fields) {
  if (fields.all) return "all fields";
  return fields.names.empty() ? "no field" : fmt::format("{}", fmt::join(fields.names, ", "));
}

// Sources, transforms, sinks; each behind its inputs.
std::vector<Box> boxes_of(const Config& config) {
  std::vector<Box> boxes;
  std::map<std::string, std::size_t> places;
  const auto input = [&](const TransformPlan::Port& port) -> std::pair<std::size_t, std::string> {
    if (port.node == TransformPlan::Port::kSource) return {places.at(port.source), ""};
    const TransformPlan::Node& node = config.plan->nodes()[port.node];
    return {places.at(node.name), node.outputs[port.output]};
  };
  const auto add = [&](Box box, const std::vector<TransformPlan::Port>& ports) {
    for (const TransformPlan::Port& port : ports) {
      box.inputs.push_back(input(port));
      box.column = std::max(box.column, boxes[box.inputs.back().first].column + 1);
    }
    places.emplace(box.name, boxes.size());
    boxes.push_back(std::move(box));
  };
  for (const auto& [name, source] : config.sources)
    add({name, "source", std::string(type_name(source)), {}, {}, 0}, {});
  for (const TransformPlan::Node& node : config.plan->nodes()) {
    Box box{node.name, "transform", node.type, {}, {}, 0};
    WantedFields reads = node.transform->needs(WantedFields{});
    reads.all = false;
    if (!reads.names.empty()) box.notes.push_back("reads " + listed(reads));
    if (const auto writes = node.transform->writes(); !writes.empty())
      box.notes.push_back(fmt::format("writes {}", fmt::join(writes, ", ")));
    box.notes.push_back("asked for " + listed(node.wanted));
    add(std::move(box), node.inputs);
  }
  std::size_t last = 0;
  for (const Box& box : boxes) last = std::max(last, box.column + 1);
  for (const auto& [name, sink] : config.sinks) {
    add({name, "sink", std::string(type_name(sink)), {}, {}, 0}, config.plan->inputs_of(name));
    boxes.back().column = last;
  }
  return boxes;
}

// -- Text -------------------------------------------------------------------------------------------------

void print_below(const std::vector<Box>& boxes, std::size_t at, const std::string& indent, std::string& out) {
  std::vector<std::pair<std::size_t, std::string>> next;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    for (const auto& [from, output] : boxes[i].inputs) {
      if (from == at) next.emplace_back(i, output);
    }
  }
  for (std::size_t i = 0; i < next.size(); ++i) {
    const Box& box = boxes[next[i].first];
    const bool last = i + 1 == next.size();
    const std::string label = next[i].second.empty() ? "" : fmt::format(".{} -> ", next[i].second);
    out +=
        fmt::format("{}{} {}{} ({} {})\n", indent, last ? "`-" : "|-", label, box.name, box.kind, box.type);
    const std::string below = indent + (last ? "   " : "|  ");
    for (const std::string& note : box.notes) out += fmt::format("{}   {}\n", below, note);
    print_below(boxes, next[i].first, below, out);
  }
}

std::string as_text(const std::vector<Box>& boxes) {
  std::string out;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (boxes[i].kind != "source") continue;
    out += fmt::format("{} (source {})\n", boxes[i].name, boxes[i].type);
    print_below(boxes, i, "", out);
  }
  return out;
}

// -- DOT --------------------------------------------------------------------------------------------------

std::string dot_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string as_dot(const std::vector<Box>& boxes) {
  std::string out = "digraph logflume {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n";
  for (const Box& box : boxes) {
    std::string label = fmt::format("{}\n{} {}", box.name, box.kind, box.type);
    std::string quoted = dot_text(label);
    for (std::size_t at = quoted.find('\n'); at != std::string::npos; at = quoted.find('\n', at))
      quoted.replace(at, 1, "\\n");
    out += fmt::format("  {} [label={}, style={}];\n", dot_text(box.name), quoted,
                       box.kind == "transform" ? "rounded" : "solid");
  }
  for (const Box& box : boxes) {
    for (const auto& [from, output] : box.inputs) {
      out += fmt::format("  {} -> {}{};\n", dot_text(boxes[from].name), dot_text(box.name),
                         output.empty() ? "" : fmt::format(" [label={}]", dot_text(output)));
    }
  }
  return out + "}\n";
}

// -- SVG --------------------------------------------------------------------------------------------------

std::string xml_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

// Columns by the distance from the sources, lines between the boxes' sides.
std::string as_svg(const std::vector<Box>& boxes) {
  constexpr std::size_t kWidth = 180, kHeight = 52, kGapX = 110, kGapY = 26, kEdge = 20;
  std::map<std::size_t, std::size_t> heights;
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (const Box& box : boxes) {
    const std::size_t row = heights[box.column]++;
    places.emplace_back(kEdge + box.column * (kWidth + kGapX), kEdge + row * (kHeight + kGapY));
  }
  std::size_t columns = 0, rows = 0;
  for (const auto& [column, height] : heights) {
    columns = std::max(columns, column + 1);
    rows = std::max(rows, height);
  }
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" "
      "font-size=\"13\">\n<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
      "markerWidth=\"8\" "
      "markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#667\"/></marker></defs>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      2 * kEdge + columns * kWidth + (columns - 1) * kGapX, 2 * kEdge + rows * (kHeight + kGapY) - kGapY);
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    for (const auto& [from, output] : boxes[i].inputs) {
      const std::size_t x1 = places[from].first + kWidth, y1 = places[from].second + kHeight / 2;
      const std::size_t x2 = places[i].first, y2 = places[i].second + kHeight / 2;
      out += fmt::format(
          "<path d=\"M{} {}C{} {} {} {} {} {}\" fill=\"none\" stroke=\"#667\" marker-end=\"url(#arrow)\"/>\n",
          x1, y1, x1 + kGapX / 2, y1, x2 - kGapX / 2, y2, x2, y2);
      if (!output.empty())
        out += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"#667\" font-size=\"11\">{}</text>\n", x1 + 6,
                           (3 * y1 + y2) / 4 - 4, xml_text(output));
    }
  }
  static const std::map<std::string, const char*> kColours = {
      {"source", "#dceefb"}, {"transform", "#f3f0e6"}, {"sink", "#e2f4e3"}};
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const auto [x, y] = places[i];
    std::string notes;
    for (const std::string& note : boxes[i].notes) notes += note + "\n";
    out += fmt::format(
        "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"{}\" "
        "stroke=\"#667\"/>"
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>"
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#556\">{}</text></g>\n",
        xml_text(notes), x, y, kWidth, kHeight, kColours.at(boxes[i].kind), x + kWidth / 2, y + 22,
        xml_text(boxes[i].name), x + kWidth / 2, y + 40, xml_text(boxes[i].type));
  }
  return out + "</svg>\n";
}

int graph(const std::vector<std::string>& paths, const std::string& format) {
  const std::optional<Config> config = load_config_or_explain(paths);
  if (!config) return kExitConfiguration;
  const std::vector<Box> boxes = boxes_of(*config);
  fmt::print("{}", format == "dot" ? as_dot(boxes) : format == "svg" ? as_svg(boxes) : as_text(boxes));
  return kExitOk;
}

}  // namespace

void add_graph_command(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("graph", "Show which way events go, and which fields each stage reads and writes");
  const auto paths = std::make_shared<std::vector<std::string>>();
  const auto more = std::make_shared<std::vector<std::string>>();
  const auto format = std::make_shared<std::string>("text");
  CLI::Option* files = command->add_option("files", *paths, "Configuration files, or directories of *.yaml")
                           ->type_name("FILE");
  CLI::Option* config =
      command->add_option("-c,--config", *more, "The same, as `run` takes them")->type_name("FILE");
  command->add_option("--format", *format, "As text, for Graphviz, or as a picture")
      ->type_name("text|dot|svg")
      ->check(CLI::IsMember({"text", "dot", "svg"}));
  command->callback([paths, more, format, files, config, &chosen] {
    if (files->count() + config->count() == 0) throw CLI::RequiredError("FILE");
    paths->insert(paths->end(), more->begin(), more->end());
    chosen = [paths, format] { return graph(*paths, *format); };
  });
}

}  // namespace logflume
