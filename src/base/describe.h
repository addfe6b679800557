// Descriptions of configuration structs: one for each field, from which the parser, the writer, the JSON
// Schema and docs/configuration.md are made.
//
//   Describe<ApiConfig> api("HTTP endpoints for health and metrics.");
//   api.field("enabled", &ApiConfig::enabled, "Serve them.");
//   api.field("listen", &ApiConfig::listen, "Address.").must(check_listen_address, "host:port");
//
// Defaults are not written down: they are what a default-constructed struct holds.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"

namespace logflume {

enum class FieldKind { kBool, kCount, kBytes, kDuration, kText, kTextList, kTextMap, kChoice, kObject };

// A field's value between the text and the struct; monostate: absent. Choices are texts.
using FieldValue = std::variant<std::monostate, bool, std::uint64_t, Duration, std::string,
                                std::vector<std::string>, std::map<std::string, std::string>>;

// What is wrong with one text; empty when it is fine.
using TextCheck = std::function<std::string(const std::string&)>;

struct ObjectDescription;

struct FieldDescription {
  std::string name;
  std::string doc;  // sentences, the first one short
  FieldKind kind = FieldKind::kText;
  bool is_required = false;
  bool is_secret = false;  // never shown
  std::string absent;      // what absence means where no default says it: "unlimited"
  std::string example;     // as YAML; made from the default when empty
  std::string expected;    // for messages, beyond what the kind says
  std::uint64_t minimum = 0;
  std::uint64_t maximum = std::numeric_limits<std::uint64_t>::max();  // nanoseconds for durations
  std::vector<std::string> choices;
  std::map<std::string, std::string> refused_choices;  // names that users may expect: why they are not there
  std::vector<TextCheck> checks;                    // of each text of a text or list, of each value of a map
  std::shared_ptr<const ObjectDescription> object;  // kObject

  std::function<void(void*, FieldValue)> set;
  std::function<FieldValue(const void*)> get;
  std::function<void*(void*)> child;  // kObject: the struct inside the struct

  FieldDescription& required() { return is_required = true, *this; }
  FieldDescription& secret() { return is_secret = true, *this; }
  FieldDescription& at_least(std::uint64_t value) { return minimum = value, *this; }
  FieldDescription& at_least(Duration value) {
    return minimum = static_cast<std::uint64_t>(value.count()), *this;
  }
  FieldDescription& at_most(std::uint64_t value) { return maximum = value, *this; }
  FieldDescription& at_most(Duration value) {
    return maximum = static_cast<std::uint64_t>(value.count()), *this;
  }
  FieldDescription& absent_is(std::string meaning) { return absent = std::move(meaning), *this; }
  FieldDescription& example_is(std::string yaml) { return example = std::move(yaml), *this; }
  FieldDescription& not_yet(std::string choice, std::string why) {
    refused_choices.emplace(std::move(choice), std::move(why));
    return *this;
  }
  FieldDescription& must(TextCheck check, std::string what) {
    checks.push_back(std::move(check));
    expected = std::move(what);
    return *this;
  }
};

// What a rule that spans fields may ask and say. Keys are relative to the object: "sasl.username"; the last
// part may be a name with dots in it: "options.linger.ms".
class Findings {
 public:
  virtual ~Findings() = default;
  // At the value of `key`, or at the object where the key is absent. Dropped when that key has an error
  // already.
  virtual void error(std::string_view key, std::string message, std::string expected = {},
                     std::string hint = {}) = 0;
  // The same at the name of `key`, which should not be there.
  virtual void misnamed(std::string_view key, std::string message, std::string expected = {},
                        std::string hint = {}) = 0;
  virtual void warning(std::string_view key, std::string message, std::string hint = {}) = 0;
  virtual bool given(std::string_view key) const = 0;
  // May the file system be asked?
  virtual bool check_paths() const = 0;
};

struct ObjectDescription {
  std::string doc;
  std::vector<FieldDescription> fields;
  // Names that users of other agents, or of later versions, may expect: why they are not there.
  std::map<std::string, std::string> unsupported;
  std::function<void(const void*, Findings&)> check;
};

template <typename T>
class Describe {
 public:
  explicit Describe(std::string doc) { object_.doc = std::move(doc); }

  // Bool, count, duration, text, list or map of texts, by the member's type. Members of T's bases too.
  template <typename M, typename B>
    requires std::derived_from<T, B>
  FieldDescription& field(std::string name, M B::*member, std::string doc) {
    FieldDescription& out = add(std::move(name), std::move(doc), kind_of<M>());
    if constexpr (std::is_same_v<M, std::uint32_t>) out.maximum = std::numeric_limits<std::uint32_t>::max();
    bind(out, member);
    return out;
  }

  // A size in bytes.
  template <typename M, typename B>
    requires std::derived_from<T, B>
  FieldDescription& bytes(std::string name, M B::*member, std::string doc) {
    FieldDescription& out = add(std::move(name), std::move(doc), FieldKind::kBytes);
    bind(out, member);
    return out;
  }

  // One of several names.
  template <typename M, typename B>
    requires std::derived_from<T, B>
  FieldDescription& choice(std::string name, M B::*member, std::vector<std::pair<std::string, M>> values,
                           std::string doc) {
    FieldDescription& out = add(std::move(name), std::move(doc), FieldKind::kChoice);
    for (const auto& [text, value] : values) out.choices.push_back(text);
    out.set = [member, values](void* self, FieldValue value) {
      for (const auto& [text, meaning] : values) {
        if (text == std::get<std::string>(value)) static_cast<T*>(self)->*member = meaning;
      }
    };
    out.get = [member, values](const void* self) -> FieldValue {
      for (const auto& [text, meaning] : values) {
        if (meaning == static_cast<const T*>(self)->*member) return text;
      }
      return std::monostate{};
    };
    return out;
  }

  // One text or a list, kept as one text with commas between.
  template <typename B>
    requires std::derived_from<T, B>
  FieldDescription& joined(std::string name, std::string B::*member, std::string doc) {
    FieldDescription& out = add(std::move(name), std::move(doc), FieldKind::kTextList);
    out.set = [member](void* self, FieldValue value) {
      std::string& all = static_cast<T*>(self)->*member;
      all.clear();
      for (const std::string& one : std::get<std::vector<std::string>>(value))
        all += (all.empty() ? "" : ",") + one;
    };
    out.get = [member](const void* self) -> FieldValue {
      const std::string& all = static_cast<const T*>(self)->*member;
      std::vector<std::string> parts;
      for (std::size_t from = 0; !all.empty() && from <= all.size();) {
        const std::size_t comma = std::min(all.find(',', from), all.size());
        parts.push_back(all.substr(from, comma - from));
        from = comma + 1;
      }
      return parts;
    };
    return out;
  }

  // A struct inside the struct.
  template <typename M, typename B>
    requires std::derived_from<T, B>
  FieldDescription& object(std::string name, M B::*member, ObjectDescription description, std::string doc) {
    FieldDescription& out = add(std::move(name), std::move(doc), FieldKind::kObject);
    out.object = std::make_shared<const ObjectDescription>(std::move(description));
    out.child = [member](void* self) -> void* { return &(static_cast<T*>(self)->*member); };
    return out;
  }

  // Keys that stand together in the text, but in T itself in memory. REQUIRES: `description` describes T.
  FieldDescription& group(std::string name, ObjectDescription description, std::string doc) {
    FieldDescription& out = add(std::move(name), std::move(doc), FieldKind::kObject);
    out.object = std::make_shared<const ObjectDescription>(std::move(description));
    out.child = [](void* self) { return self; };
    return out;
  }

  void unsupported(std::string name, std::string why) {
    object_.unsupported.emplace(std::move(name), std::move(why));
  }

  // A rule that spans fields; rules run in the order they were added.
  void check(std::function<void(const T&, Findings&)> rule) {
    object_.check = [before = std::move(object_.check), rule = std::move(rule)](const void* self,
                                                                                Findings& findings) {
      if (before) before(self, findings);
      rule(*static_cast<const T*>(self), findings);
    };
  }

  ObjectDescription done() && { return std::move(object_); }

 private:
  template <typename M>
  struct Held {
    using Type = M;
    static constexpr bool kOptional = false;
  };
  template <typename M>
  struct Held<std::optional<M>> {
    using Type = M;
    static constexpr bool kOptional = true;
  };

  template <typename M>
  static constexpr FieldKind kind_of() {
    using Type = typename Held<M>::Type;
    if constexpr (std::is_same_v<Type, bool>) return FieldKind::kBool;
    if constexpr (std::is_same_v<Type, Duration>) return FieldKind::kDuration;
    if constexpr (std::is_same_v<Type, std::string>) return FieldKind::kText;
    if constexpr (std::is_same_v<Type, std::vector<std::string>>) return FieldKind::kTextList;
    if constexpr (std::is_same_v<Type, std::map<std::string, std::string>>) return FieldKind::kTextMap;
    return FieldKind::kCount;
  }

  FieldDescription& add(std::string name, std::string doc, FieldKind kind) {
    FieldDescription& out = object_.fields.emplace_back();
    out.name = std::move(name);
    out.doc = std::move(doc);
    out.kind = kind;
    return out;
  }

  template <typename M, typename B>
  static void bind(FieldDescription& out, M B::*member) {
    using Type = typename Held<M>::Type;
    using Stored = std::conditional_t<std::is_same_v<Type, std::uint32_t>, std::uint64_t, Type>;
    out.set = [member](void* self, FieldValue value) {
      static_cast<T*>(self)->*member = static_cast<Type>(std::get<Stored>(std::move(value)));
    };
    out.get = [member](const void* self) -> FieldValue {
      const M& held = static_cast<const T*>(self)->*member;
      if constexpr (Held<M>::kOptional) {
        if (!held) return std::monostate{};
        return static_cast<Stored>(*held);
      } else {
        return static_cast<Stored>(held);
      }
    };
  }

  ObjectDescription object_;
};

// A type of component. `Any` holds the configuration of any type.
template <typename Any>
struct ComponentType {
  std::string name;  // as in `type: NAME`
  ObjectDescription description;
  std::function<Any()> make;         // defaults of the type in it
  std::function<void*(Any&)> inner;  // the struct that `description` describes
  std::size_t index = 0;             // in the variant
};

}  // namespace logflume
