// Fields under other names, or gone: no value is touched.
#include <algorithm>

#include "transform/field_reader.h"
#include "transform/types.h"

namespace logflume {
namespace {

// A field's name, or an object's with a dot and a key.
struct Path {
  std::string object;
  std::string name;
  explicit Path(const std::string& text) : name(text) {
    const std::size_t dot = text.find('.');
    if (dot == std::string::npos) return;
    object = text.substr(0, dot);
    name = text.substr(dot + 1);
  }
};

// The field of that name at the top level, or the key of the object.
bool is_at(const FrameField& field, const std::string& text, const Path& path) {
  if (field.object.empty()) return field.name == text;
  return field.object == text || (field.object == path.object && field.name == path.name);
}

std::uint8_t bit_of(std::string_view name) {
  const auto base = std::ranges::find(kBaseFieldNames, name);
  if (base == std::end(kBaseFieldNames)) return 0;
  return static_cast<std::uint8_t>(1U << (base - std::begin(kBaseFieldNames)));
}

void erase(Frame& frame, const std::string& name, const Path& path) {
  std::erase_if(frame.fields, [&](const FrameField& field) { return is_at(field, name, path); });
  frame.hidden = static_cast<std::uint8_t>(frame.hidden | bit_of(name));
  if (name == kMessageField) frame.message_is_line = false;
}

// -- rename -----------------------------------------------------------------------------------------------

class RenameStage final : public Stage {
 public:
  RenameStage(const std::map<std::string, std::string>& names, const std::string& host) : names_(names) {
    for (const auto& [from, to] : names_) from_.push_back(from);
    reader_.emplace_back(from_, host);
  }

  void run(const Frame& in, std::span<Frame> out, StageReport& /*report*/) override {
    Frame& frame = out[0];
    frame.rows = in.rows;
    columns_.begin(in.batch->text(), in.lines->size());
    for (const auto& [from, to] : names_) erase(frame, from, Path(from));
    for (const auto& [from, to] : names_) {
      FrameField field;
      if (const FrameField* const found = find_field(in, from); found != nullptr) {
        field = *found;
      } else if (!made(in, from, field)) {
        continue;
      }
      field.object = {};
      field.name = to;
      erase(frame, to, Path(to));
      frame.hidden = static_cast<std::uint8_t>(frame.hidden & ~bit_of(to));
      frame.put(field);
    }
  }
  std::size_t memory_bytes() const override { return columns_.memory_bytes(); }

 private:
  // What an event says of itself is no column yet.
  bool made(const Frame& in, const std::string& name, FrameField& field) {
    if (name == kMessageField ? !in.message_is_line : bit_of(name) == 0 || (in.hidden & bit_of(name)) != 0)
      return false;
    Evaluation evaluation;
    reader_[0].begin(in, evaluation);
    const auto at = static_cast<std::size_t>(std::ranges::find(from_, name) - from_.begin());
    const FieldView& view = evaluation.field(at);
    if (view.constant == nullptr) {
      field = {{}, name, view.columns, view.column, nullptr};
      return true;
    }
    const std::size_t column = columns_.index_of(name);
    Slot slot{};
    ValueKind kind = ValueKind::kTimestamp;
    slot.integer = view.constant->integer;
    if (view.constant->is(Value::Tag::kString)) {
      TextRef ref;
      if (!columns_.copy(view.constant->text(), ref)) return false;
      slot = Slot::of(ref);
      kind = ValueKind::kString;
    }
    for (const std::uint32_t row : in.rows) columns_.at(column).add(row, kind, slot);
    field = {{}, name, &columns_, &columns_.at(column), nullptr};
    return true;
  }

  const std::map<std::string, std::string>& names_;
  std::vector<std::string> from_;
  std::vector<FieldReader> reader_;
  Columns columns_;
};

class Rename final : public Transform {
 public:
  explicit Rename(std::map<std::string, std::string> names) : names_(std::move(names)) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    for (const auto& [from, to] : names_) {
      if (wanted.has(to)) needs.names.insert(from);
    }
    return needs;
  }
  FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const override {
    FieldSchema out = in;
    for (const auto& [from, to] : names_) out.fields.erase(from);
    for (const auto& [from, to] : names_) {
      const auto known = in.fields.find(from);
      if (known != in.fields.end()) out.fields[to] = known->second;
      if (known == in.fields.end() && in.open) out.fields[to] = ExprType::kDyn;
    }
    return out;
  }
  std::vector<std::string> writes() const override {
    std::vector<std::string> names;
    for (const auto& [from, to] : names_) names.push_back(to);
    return names;
  }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<RenameStage>(names_, context.host);
  }

 private:
  const std::map<std::string, std::string> names_;
};

struct RenameConfig : TransformConfig {
  std::map<std::string, std::string> fields;
  bool operator==(const RenameConfig&) const = default;
  TransformBuilt build(const FieldSchema& /*in*/) const {
    std::map<std::string, std::string> taken;
    for (const auto& [from, to] : fields) {
      const auto [other, fresh] = taken.emplace(to, from);
      if (!fresh)
        return TransformError{"fields." + from, SIZE_MAX,
                              "\"" + other->second + "\" gets the name \"" + to + "\" too",
                              "a name of its own for each"};
    }
    return std::make_unique<Rename>(fields);
  }
};

// -- remove, keep -----------------------------------------------------------------------------------------

class RemoveStage final : public Stage {
 public:
  explicit RemoveStage(const std::vector<std::string>& names) : names_(names) {}
  void run(const Frame& in, std::span<Frame> out, StageReport& /*report*/) override {
    out[0].rows = in.rows;
    for (const std::string& name : names_) erase(out[0], name, Path(name));
  }

 private:
  const std::vector<std::string>& names_;
};

class Remove final : public Transform {
 public:
  explicit Remove(std::vector<std::string> names) : names_(std::move(names)) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    for (const std::string& name : names_) needs.names.erase(name);
    return needs;
  }
  FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const override {
    FieldSchema out = in;
    for (const std::string& name : names_) {
      out.fields.erase(name);
      out.objects.erase(name);
    }
    return out;
  }
  std::unique_ptr<Stage> make_stage(const StageContext& /*context*/) const override {
    return std::make_unique<RemoveStage>(names_);
  }

 private:
  const std::vector<std::string> names_;
};

class KeepStage final : public Stage {
 public:
  explicit KeepStage(const std::vector<std::string>& names) : names_(names) {}
  void run(const Frame& in, std::span<Frame> out, StageReport& /*report*/) override {
    Frame& frame = out[0];
    frame.rows = in.rows;
    std::erase_if(frame.fields, [&](const FrameField& field) {
      return std::ranges::none_of(names_,
                                  [&](const std::string& name) { return is_at(field, name, Path(name)); });
    });
    if (std::ranges::find(names_, kMessageField) == names_.end()) frame.message_is_line = false;
  }

 private:
  const std::vector<std::string>& names_;
};

class Keep final : public Transform {
 public:
  explicit Keep(std::vector<std::string> names) : names_(std::move(names)) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs;
    needs.all = false;
    for (const std::string& name : names_) {
      if (wanted.has(name)) needs.names.insert(name);
    }
    return needs;
  }
  FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const override {
    FieldSchema out;
    out.open = false;
    for (const std::string& name : names_) {
      const auto known = in.fields.find(name);
      if (known != in.fields.end()) out.fields.insert(*known);
      if (known == in.fields.end() && in.open) out.fields[name] = ExprType::kDyn;
      if (in.objects.contains(name)) {
        out.objects.insert(name);
        out.open |= in.open;
      }
    }
    for (const std::string_view base : kBaseFieldNames) {
      const auto known = in.fields.find(base);
      if (known != in.fields.end()) out.fields.insert(*known);
    }
    return out;
  }
  std::unique_ptr<Stage> make_stage(const StageContext& /*context*/) const override {
    return std::make_unique<KeepStage>(names_);
  }

 private:
  const std::vector<std::string> names_;
};

template <typename Made>
struct NamesConfig : TransformConfig {
  std::vector<std::string> fields;
  bool operator==(const NamesConfig&) const = default;
  TransformBuilt build(const FieldSchema& /*in*/) const { return std::make_unique<Made>(fields); }
};

}  // namespace

TransformType rename_transform() {
  Describe<RenameConfig> rename("Fields under other names. A field that had the new name goes.");
  rename.field("fields", &RenameConfig::fields, "The new names, by the old ones.")
      .required()
      .must(must_not_be_empty, "a name")
      .example_is("{msg: message}");
  return transform_type("rename", std::move(rename));
}

TransformType remove_transform() {
  Describe<NamesConfig<Remove>> remove("Fields that are taken away.");
  remove
      .field("fields", &NamesConfig<Remove>::fields,
             "Their names; `file`, `source`, `host` and `timestamp` too.")
      .required()
      .must(must_not_be_empty, "a name")
      .example_is("[http_user_agent]");
  return transform_type("remove", std::move(remove));
}

TransformType keep_transform() {
  Describe<NamesConfig<Keep>> keep(
      "Fields that stay; all others are taken away. What an event says of itself, `file`, `source`, `host` "
      "and "
      "`timestamp`, stays.");
  keep.field("fields", &NamesConfig<Keep>::fields, "Their names.")
      .required()
      .must(must_not_be_empty, "a name")
      .example_is("[status, path]");
  return transform_type("keep", std::move(keep));
}

}  // namespace logflume
