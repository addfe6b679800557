// Encodings of events and their fields other than JSON.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sink/event_encoder.h"

namespace logflume {

using EventLabels = std::map<std::string, std::string>;

// name=value pairs with blanks between; values with blanks, quotes, "=" or control characters stand in
// quotes. A key of an object is named "object.key".
std::unique_ptr<EventEncoder> make_logfmt_encoder(const std::string& host, const EventLabels& labels);

// These fields, in this order, with commas between (RFC 4180); what an event does not have is empty.
std::unique_ptr<EventEncoder> make_csv_encoder(const std::string& host, const EventLabels& labels,
                                               const std::vector<std::string>& columns);

// A map (https://github.com/msgpack/msgpack/blob/master/spec.md); times are the timestamp extension, nested
// JSON is a string, numbers of JSON are numbers where they fit and strings where they do not.
std::unique_ptr<EventEncoder> make_msgpack_encoder(const std::string& host, const EventLabels& labels);

// The line as it was, and behind it the fields that transforms have added, as logfmt.
std::unique_ptr<EventEncoder> make_line_encoder(const std::string& host, const EventLabels& labels);

}  // namespace logflume
