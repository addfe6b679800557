// Goal: the parser, the writer, the JSON Schema and docs/configuration.md say the same.
// Method: every described key is written with its example, parsed, looked up in the schema (read with the
// YAML
//         parser: JSON is YAML) and in the page; every key of the schema is offered to the parser.
#include "config/catalog.h"

#include <fstream>
#include <sstream>

#include "config/config_test_fixture.h"
#include "config/yaml_text.h"
#include "expression/functions.h"

namespace logflume {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A legal value for the field, as YAML.
std::string example_of(const FieldDescription& field, const void* defaults) {
  if (!field.example.empty()) return field.example;
  if (field.kind == FieldKind::kChoice) return field.choices.back();
  const std::string value = yaml_value(field, field.get(defaults));
  EXPECT_THAT(value, Not(IsEmpty())) << field.name << " needs an example: its default says nothing";
  return value;
}

std::string nested(const std::string& path, const std::string& value) {
  // "tls.ca_file" -> "tls: {ca_file: VALUE}"
  const std::size_t dot = path.find('.');
  if (dot == std::string::npos) return path + ": " + value;
  return path.substr(0, dot) + ": {" + nested(path.substr(dot + 1), value) + "}";
}

// Calls visit(path, field, defaults) for each leaf.
template <typename Visit>
void each_field(const ObjectDescription& description, void* defaults, const std::string& prefix,
                const Visit& visit) {
  for (const FieldDescription& field : description.fields) {
    if (field.kind == FieldKind::kObject) {
      each_field(*field.object, field.child(defaults), prefix + field.name + ".", visit);
    } else {
      visit(prefix + field.name, field, defaults);
    }
  }
}

std::string required_keys(const ObjectDescription& description, const std::string& but) {
  std::string out;
  for (const FieldDescription& field : description.fields) {
    if (field.is_required && field.name != but) out += ", " + field.name + ": " + field.example;
  }
  return out;
}

// Whether a diagnostic says that `path` itself cannot be there or cannot be read.
void expect_accepted(const std::string& text, const std::string& path) {
  const LoadedConfig loaded =
      load_text(text, {{"LOGS_PASSWORD", "x"}, {"LOGS_TOKEN", "x"}, {"KAFKA_PASSWORD", "x"}});
  for (const Diagnostic& one : loaded.diagnostics) {
    // A key alone may lack its partner (sasl.username without the mechanism): that is said of the partner.
    const bool rule = one.message.find("need") != std::string::npos ||
                      one.message.find("missing") != std::string::npos ||
                      one.message.find("TLS is not enabled") != std::string::npos;
    EXPECT_TRUE(rule) << path << "\n" << text << render({one});
  }
}

// The configuration with one component of the type, and `key: value` in it.
std::string source_text(const std::string& type, const ObjectDescription& description,
                        const std::string& path, const std::string& keys) {
  return "sources: {app: {type: " + type + required_keys(description, path) + ", " + keys +
         "}}\nsinks: {out: {type: console, inputs: app}}\n";
}
std::string sink_text(const std::string& type, const ObjectDescription& description, const std::string& path,
                      const std::string& keys) {
  return "sources: {app: {type: file, include: /x}}\nsinks: {out: {type: " + type +
         required_keys(description, path) + ", " + keys + "}}\n";
}

TEST(CatalogTest, EveryDescribedKeyParsesWithItsExample) {
  Config config;
  each_field(top_level(), &config, "",
             [](const std::string& path, const FieldDescription& field, const void* defaults) {
               expect_accepted(nested(path, example_of(field, defaults)) + "\n" + with(), path);
             });
  for (const auto& type : source_types()) {
    AnySourceConfig made = type.make();
    each_field(type.description, type.inner(made), "",
               [&](const std::string& path, const FieldDescription& field, const void* defaults) {
                 expect_accepted(source_text(type.name, type.description, path,
                                             nested(path, example_of(field, defaults))),
                                 path);
               });
  }
  for (const auto& type : sink_types()) {
    AnySinkConfig made = type.make();
    each_field(type.description, type.inner(made), "",
               [&](const std::string& path, const FieldDescription& field, const void* defaults) {
                 expect_accepted(
                     sink_text(type.name, type.description, path, nested(path, example_of(field, defaults))),
                     path);
               });
  }
}

class SchemaTest : public ::testing::Test {
 protected:
  SchemaTest() : text_("schema.json", json_schema()) {
    Diagnostics diagnostics;
    schema_ = parse_yaml(text_, diagnostics);
    EXPECT_EQ(render(diagnostics.take()), "");
  }

  // The property that `path` leads to; nullptr when there is none.
  static const YamlNode* property(const YamlNode* object, std::string path) {
    while (object != nullptr) {
      const YamlNode* properties = object->find("properties");
      if (properties == nullptr) return nullptr;
      const std::size_t dot = path.find('.');
      object = properties->find(path.substr(0, dot));
      if (dot == std::string::npos) return object;
      path.erase(0, dot + 1);
    }
    return nullptr;
  }

  // Every leaf's path below `object`.
  static void paths(const YamlNode& object, const std::string& prefix, std::vector<std::string>& out) {
    const YamlNode* properties = object.find("properties");
    if (properties == nullptr) return;
    for (const YamlEntry& entry : properties->entries) {
      out.push_back(prefix + entry.key.text);
      paths(entry.value, prefix + entry.key.text + ".", out);
    }
  }

  SourceText text_;
  std::optional<YamlNode> schema_;
};

TEST_F(SchemaTest, IsAJsonSchemaOfEveryDescribedKey) {
  ASSERT_TRUE(schema_);
  EXPECT_EQ(schema_->find("$schema")->text, "https://json-schema.org/draft/2020-12/schema");
  Config config;
  each_field(top_level(), &config, "",
             [&](const std::string& path, const FieldDescription& field, const void*) {
               const YamlNode* found = property(&*schema_, path);
               ASSERT_NE(found, nullptr) << path;
               EXPECT_EQ(found->find("description")->text, field.doc);
             });
  const YamlNode* definitions = schema_->find("$defs");
  const auto check = [&](const auto& types, const char* role) {
    for (const auto& type : types) {
      const YamlNode* definition = definitions->find(type.name + "_" + role);
      ASSERT_NE(definition, nullptr) << type.name;
      auto made = type.make();
      each_field(type.description, type.inner(made), "",
                 [&](const std::string& path, const FieldDescription& field, const void*) {
                   const YamlNode* found = property(definition, path);
                   ASSERT_NE(found, nullptr) << path;
                   EXPECT_EQ(found->find("description")->text, field.doc);
                 });
    }
  };
  check(source_types(), "source");
  check(sink_types(), "sink");
}

TEST_F(SchemaTest, EveryKeyOfTheSchemaIsKnownToTheParser) {
  const auto expect_known = [](const std::string& text, const std::string& path) {
    for (const Diagnostic& one : load_text(text).diagnostics) {
      EXPECT_THAT(one.message, Not(HasSubstr("unknown key"))) << path;
    }
  };
  std::vector<std::string> top;
  paths(*schema_, "", top);
  EXPECT_GT(top.size(), 10u);
  for (const std::string& path : top) expect_known(nested(path, "{}") + "\n", path);
  const auto check = [&](const auto& types, const char* role, const auto& text_of) {
    for (const auto& type : types) {
      std::vector<std::string> keys;
      paths(*schema_->find("$defs")->find(type.name + "_" + role), "", keys);
      EXPECT_GT(keys.size(), 5u);
      for (const std::string& path : keys) {
        if (path != "type")
          expect_known(text_of(type.name, type.description, path, nested(path, "{}")), path);
      }
    }
  };
  check(source_types(), "source", source_text);
  check(sink_types(), "sink", sink_text);
}

TEST(MarkdownTest, NamesEveryKeyWithItsDescription) {
  const std::string page = configuration_markdown();
  const auto check = [&](const ObjectDescription& description, void* defaults) {
    each_field(description, defaults, "",
               [&](const std::string& path, const FieldDescription& field, const void*) {
                 EXPECT_THAT(page, HasSubstr("| `" + path + "` |"));
                 EXPECT_THAT(page, HasSubstr(field.doc));
                 EXPECT_EQ(field.doc.find('|'), std::string::npos) << "breaks the table: " << path;
               });
  };
  Config config;
  check(top_level(), &config);
  for (const auto& type : source_types()) {
    AnySourceConfig made = type.make();
    check(type.description, type.inner(made));
  }
  for (const auto& type : sink_types()) {
    AnySinkConfig made = type.make();
    check(type.description, type.inner(made));
  }
}

TEST(MarkdownTest, ThePageInDocsIsTheOneThatIsMade) {
  std::ifstream file(LOGFLUME_SOURCE_DIR "/docs/configuration.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), configuration_markdown())
      << "run: logflume schema --markdown > docs/configuration.md";
}

TEST(MarkdownTest, ThePageOfExpressionsIsTheOneThatIsMade) {
  std::ifstream file(LOGFLUME_SOURCE_DIR "/docs/expressions.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), expressions_markdown()) << "run: logflume schema --expressions > docs/expressions.md";
}

TEST(ToYamlTest, WhatIsWrittenLoadsAsTheSame) {
  // Every key away from its default, values that need quotes and escapes among them.
  const char* text = R"(data_dir: "/d ${HOME:-x}"
memory_limit: 64MiB
rate_limit: 1001
log: {level: error, format: json}
api: {enabled: true}
sources:
  a.b-c:
    type: file
    include: ["/a/*.log", "#x: [\"y\"]", "null", "5", "a$$b", "$$$$", "tab\there", "no"]
    ignore_older: 1500ms
    deleted_files: {max_age: 90s}
sinks:
  "on":
    type: http
    inputs: [a.b-c]
    uri: https://h/x?y=$$z
    labels: {"true": "1", "a: b": " c "}
    headers: {X-A: "b, c"}
    auth: {user: u, password: "p#"}
    batch: {linger: 0s, max_bytes: 1000}
  k:
    type: kafka
    inputs: a.b-c
    bootstrap_servers: [a:1, b:2]
    topic: t
    compression: zstd
    sasl: {mechanism: PLAIN, username: u, password: p}
  f: {type: file, inputs: a.b-c, path: "/x/%Y", encoding: raw, compression: gzip}
  t: {type: tcp, inputs: a.b-c, address: ["h:1", "[::1]:2"], tls: {enabled: true, verify: false}}
  c: {type: console, inputs: a.b-c}
  b: {type: blackhole, inputs: a.b-c}
)";
  const LoadedConfig first = load_text(text);
  ASSERT_TRUE(first.config) << render(first.diagnostics);
  const std::string yaml = to_yaml(*first.config);
  const LoadedConfig second = load_text(yaml);
  ASSERT_TRUE(second.config) << yaml << render(second.diagnostics);
  EXPECT_EQ(to_yaml(*second.config), yaml);
  EXPECT_EQ(second.config->data_dir, "/d x");
  EXPECT_EQ(std::get<FileSourceConfig>(second.config->sources.at("a.b-c")).include[5], "$$");
  EXPECT_EQ(std::get<FileSourceConfig>(second.config->sources.at("a.b-c")).include,
            std::get<FileSourceConfig>(first.config->sources.at("a.b-c")).include);
  const auto& http = std::get<HttpSinkConfig>(second.config->sinks.at("on"));
  EXPECT_EQ(http.uri, "https://h/x?y=$z");
  EXPECT_EQ(http.batch.linger, 0ms);
  EXPECT_EQ(http.labels.at("a: b"), " c ");
  EXPECT_EQ(std::get<KafkaSinkConfig>(second.config->sinks.at("k")).bootstrap_servers, "a:1,b:2");
}

}  // namespace
}  // namespace logflume
