// What all parsers have in common: which text they parse, where their fields go, what becomes of a line that
// is not accepted.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "parse/parser.h"
#include "parse/time_format.h"
#include "transform/registry.h"
#include "transform/transform.h"

namespace logflume {

enum class OnError {
  kKeep,   // the event passes on as it came
  kDrop,   // it is discarded
  kRoute,  // it leaves by the output "failed"
};

struct ParseConfig : TransformConfig {
  std::string field = "message";
  std::string target;  // the object that the fields are keys of; empty: the top level
  bool keep_original = false;
  OnError on_error = OnError::kKeep;
  std::string timestamp_field;
  std::string timestamp_format = "rfc3339";
  std::string time_zone = "UTC";  // of times without an offset
  bool operator==(const ParseConfig&) const = default;
};

// What a type of parser says of itself.
struct ParserKind {
  // Makes one for these fields; a thread has its own. REQUIRES: it worked before.
  std::function<std::unique_ptr<Parser>(const WantedFields& wanted)> make;
  // Fields whose types are known; `open`: there may be others.
  FieldSchema schema;
};

// Adds the keys of ParseConfig.
template <typename Struct>
void describe_parse(Describe<Struct>& description);

// A transform by that parser. Errors: of the time's format and zone.
TransformBuilt build_parse(const ParseConfig& config, ParserKind kind);

// -- Implementation ---------------------------------------------------------------------------------------

template <typename Struct>
void describe_parse(Describe<Struct>& description) {
  description.field("field", &Struct::field, "The field whose text is parsed.")
      .must(must_not_be_empty, "the name of a field");
  description.field("target", &Struct::target, "The object that the fields are put into.")
      .absent_is("the top level")
      .example_is("app");
  description.field(
      "keep_original", &Struct::keep_original,
      "Keep the field that was parsed. Otherwise it goes, unless the text has one of its name.");
  description.choice("on_error", &Struct::on_error,
                     {{"keep", OnError::kKeep}, {"drop", OnError::kDrop}, {"route", OnError::kRoute}},
                     "What becomes of an event that is not accepted: it passes on as it came, is discarded, "
                     "or leaves by the "
                     "output `NAME.failed`. It is counted in each case.");
  description
      .field("timestamp_field", &Struct::timestamp_field,
             "The field of what was parsed that holds the event's time: it becomes `timestamp`.")
      .absent_is("what the format says is a time")
      .example_is("ts");
  description
      .field("timestamp_format", &Struct::timestamp_format,
             "How that time is written: `rfc3339`, `epoch` (also `epoch_s`, `epoch_ms`, `epoch_us`, "
             "`epoch_ns`), "
             "or conversions of strptime such as `%d/%b/%Y:%H:%M:%S %z`.")
      .must(must_not_be_empty, "rfc3339, epoch, or conversions of strptime");
  description.field(
      "time_zone", &Struct::time_zone,
      "Of times that do not say theirs: `UTC`, or an offset such as `+01:00`. The machine's own is never "
      "asked.");
}

}  // namespace logflume
