#include "sink/kafka_producer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace logflume {
namespace {

constexpr std::size_t kTopicsMax =
    1024;  // handles kept; librdkafka keeps its own reference while it needs one
constexpr std::size_t kProduceMax = 1024;  // messages handed over by one call

static_assert(sizeof(void*) >= sizeof(std::uint64_t), "a tag travels in librdkafka's message pointer");

void* to_opaque(std::uint32_t chunk, std::uint32_t index) {
  return reinterpret_cast<void*>((std::uint64_t{chunk} << 32) | index);
}

KafkaTag from_opaque(void* opaque) {
  const auto bits = reinterpret_cast<std::uint64_t>(opaque);
  return {static_cast<std::uint32_t>(bits >> 32), static_cast<std::uint32_t>(bits)};
}

KafkaReport refusal(KafkaTag tag, rd_kafka_resp_err_t error, std::string_view payload, std::string_view key) {
  return {tag, static_cast<int>(error), static_cast<std::uint32_t>(payload.size()),
          static_cast<std::uint32_t>(key.size())};
}

}  // namespace

Result<std::unique_ptr<KafkaProducer>> KafkaProducer::create(const KafkaProperties& properties,
                                                             Parker& wake) {
  const std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(rd_kafka_conf_new(),
                                                                                &rd_kafka_conf_destroy);
  char text[512];
  for (const auto& [name, value] : properties) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text, sizeof text) != RD_KAFKA_CONF_OK) {
      return Error{Errc::kInvalidArgument, 0, "kafka property " + name + ": " + text};
    }
  }
  std::unique_ptr<KafkaProducer> client(new KafkaProducer);
  client->wake_ = &wake;
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG |
                                           RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT);
  rd_kafka_conf_t* given = rd_kafka_conf_dup(conf.get());
  client->client_ = rd_kafka_new(RD_KAFKA_PRODUCER, given, text, sizeof text);
  if (client->client_ == nullptr) {
    rd_kafka_conf_destroy(given);  // not taken
    return Error{Errc::kInvalidArgument, 0, std::string("kafka: ") + text};
  }
  client->queue_ = rd_kafka_queue_get_main(client->client_);
  rd_kafka_set_log_queue(client->client_, client->queue_);
  rd_kafka_queue_cb_event_enable(client->queue_, &KafkaProducer::on_queue_ready, client.get());
  // What was queued before the callback stood would not call it.
  client->has_events_.store(true, std::memory_order_release);
  return client;
}

KafkaProducer::~KafkaProducer() {
  if (client_ == nullptr) return;
  rd_kafka_queue_cb_event_enable(queue_, nullptr, nullptr);
  rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  for (auto& [name, topic] : topics_) rd_kafka_topic_destroy(topic.handle);
  rd_kafka_queue_destroy(queue_);
  rd_kafka_destroy(client_);  // joins its threads: nothing looks at a payload after this
}

void KafkaProducer::on_queue_ready(rd_kafka_s*, void* self) {
  auto* client = static_cast<KafkaProducer*>(self);
  // Published before the wake-up; pairs with the acquire in has_events() and poll().
  client->has_events_.store(true, std::memory_order_release);
  client->wake_->wake();
}

std::size_t KafkaProducer::poll(KafkaListener& listener, std::size_t events_max) {
  if (!has_events_.exchange(false, std::memory_order_acq_rel)) return 0;
  std::size_t handled = 0;
  while (rd_kafka_event_t* event = rd_kafka_queue_poll(queue_, 0)) {
    switch (rd_kafka_event_type(event)) {
      case RD_KAFKA_EVENT_DR:
        reported_.resize(rd_kafka_event_message_count(event));
        report(reported_.data(), rd_kafka_event_message_array(event, reported_.data(), reported_.size()),
               listener);
        break;
      case RD_KAFKA_EVENT_ERROR: {
        int error = rd_kafka_event_error(event);
        std::string text =
            rd_kafka_event_error_string(event) == nullptr ? "" : rd_kafka_event_error_string(event);
        const bool fatal = error == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_event_error_is_fatal(event) != 0;
        char reason[512];
        if (fatal) {
          const rd_kafka_resp_err_t cause = rd_kafka_fatal_error(client_, reason, sizeof reason);
          if (cause != RD_KAFKA_RESP_ERR_NO_ERROR) {
            error = cause;
            text = reason;
          }
        }
        listener.on_error(error, text, fatal);
        break;
      }
      case RD_KAFKA_EVENT_LOG: {
        const char* facility = nullptr;
        const char* text = nullptr;
        int level = 0;
        if (rd_kafka_event_log(event, &facility, &text, &level) == 0) listener.on_log(level, facility, text);
        break;
      }
      case RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT:
        report_limit(event, listener);
        break;
      default:
        break;
    }
    rd_kafka_event_destroy(event);
    if (++handled == events_max) {
      has_events_.store(true, std::memory_order_release);  // the callback comes only for an empty queue
      break;
    }
  }
  return handled;
}

void KafkaProducer::report(const rd_kafka_message_s* const* messages, std::size_t count,
                           KafkaListener& listener) {
  reports_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_message_t& message = *messages[i];
    reports_[i] = {from_opaque(message._private), message.err, static_cast<std::uint32_t>(message.len),
                   static_cast<std::uint32_t>(message.key_len)};
  }
  outstanding_ -= count;
  for (const KafkaReport& report : reports_) outstanding_bytes_ -= report.payload_bytes;
  if (count > 0 && messages[0]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    last_broker_ = rd_kafka_message_broker_id(messages[0]);
  }
  listener.on_reports(reports_);
}

void KafkaProducer::ask_message_limit(const std::string& topic) {
  rd_kafka_AdminOptions_t* options = rd_kafka_AdminOptions_new(client_, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
  auto slot = std::find(asked_.begin(), asked_.end(), std::string());
  if (slot == asked_.end()) slot = asked_.emplace(asked_.end());
  *slot = topic;
  // Any broker knows it. Left alone, librdkafka would wait for the controller.
  char error[256];
  if (last_broker_ >= 0) rd_kafka_AdminOptions_set_broker(options, last_broker_, error, sizeof error);
  rd_kafka_AdminOptions_set_opaque(options, reinterpret_cast<void*>(slot - asked_.begin()));
  rd_kafka_ConfigResource_t* resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str());
  rd_kafka_DescribeConfigs(client_, &resource, 1, options, queue_);
  rd_kafka_ConfigResource_destroy(resource);
  rd_kafka_AdminOptions_destroy(options);
}

void KafkaProducer::report_limit(rd_kafka_event_t* event, KafkaListener& listener) {
  const std::string topic =
      std::exchange(asked_[reinterpret_cast<std::size_t>(rd_kafka_event_opaque(event))], {});
  int error = rd_kafka_event_error(event);
  std::uint64_t bytes = 0;
  if (error == 0) {
    error = RD_KAFKA_RESP_ERR__FAIL;  // an answer without the property
    std::size_t resources = 0;
    const auto** resource =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &resources);
    std::size_t entries = 0;
    const auto** entry = resources == 0 ? nullptr : rd_kafka_ConfigResource_configs(resource[0], &entries);
    if (resources > 0 && rd_kafka_ConfigResource_error(resource[0]) != 0)
      error = rd_kafka_ConfigResource_error(resource[0]);
    for (std::size_t i = 0; i < entries; ++i) {
      const char* value = rd_kafka_ConfigEntry_value(entry[i]);
      if (value == nullptr || std::string_view(rd_kafka_ConfigEntry_name(entry[i])) != "max.message.bytes")
        continue;
      bytes = std::strtoull(value, nullptr, 10);
      error = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
  }
  listener.on_message_limit(topic, error, bytes);
}

rd_kafka_topic_s* KafkaProducer::topic(const std::string& name, KafkaPartitionShare* share, int& error) {
  const auto found = topics_.find(name);
  if (found != topics_.end()) {
    topic_ages_.splice(topic_ages_.begin(), topic_ages_, found->second.age);
    return found->second.handle;
  }
  rd_kafka_topic_conf_t* conf = nullptr;
  if (share != nullptr) {
    conf = rd_kafka_default_topic_conf_dup(client_);
    rd_kafka_topic_conf_set_opaque(conf, share);
    rd_kafka_topic_conf_set_partitioner_cb(conf, &KafkaPartitionShare::choose);
  }
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client_, name.c_str(), conf);  // takes `conf`
  if (handle == nullptr) {
    error = rd_kafka_last_error();
    return nullptr;
  }
  if (topics_.size() == kTopicsMax) {
    const auto oldest = topics_.find(topic_ages_.back());
    rd_kafka_topic_destroy(oldest->second.handle);
    topics_.erase(oldest);
    topic_ages_.pop_back();
  }
  topic_ages_.push_front(name);
  topics_.emplace(name, CachedTopic{handle, topic_ages_.begin()});
  return handle;
}

std::optional<std::int32_t> KafkaProducer::partitions(const std::string& name, KafkaPartitionShare& share,
                                                      Duration wait) {
  int error = 0;
  rd_kafka_topic_t* handle = topic(name, &share, error);
  if (handle == nullptr) return std::nullopt;
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto wait_ms = std::chrono::duration_cast<std::chrono::milliseconds>(wait).count();
  std::optional<std::int32_t> count;
  if (rd_kafka_metadata(client_, 0, handle, &metadata, static_cast<int>(wait_ms)) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR)
      count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
  }
  return count;
}

std::uint32_t KafkaProducer::produce(const KafkaWindow::Run& run, std::uint32_t end,
                                     KafkaPartitionShare* share, std::vector<KafkaReport>& refused) {
  const KafkaShipment& shipment = run.chunk->shipment();
  int error = 0;
  rd_kafka_topic_t* handle = topic(shipment.topic, share, error);
  if (handle == nullptr) {
    for (std::uint32_t i = run.begin.index; i < end; ++i) {
      refused.push_back(refusal({run.begin.chunk, i}, static_cast<rd_kafka_resp_err_t>(error),
                                run.chunk->payload(i), run.chunk->key(i)));
    }
    return end;
  }
  return shipment.headers.empty() ? produce_batch(handle, run, end, refused)
                                  : produce_with_headers(handle, run, end, refused);
}

std::uint32_t KafkaProducer::produce_batch(rd_kafka_topic_s* topic, const KafkaWindow::Run& run,
                                           std::uint32_t end, std::vector<KafkaReport>& refused) {
  for (std::uint32_t next = run.begin.index; next < end;) {
    const std::uint32_t count = std::min<std::uint32_t>(end - next, kProduceMax);
    batch_.resize(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::string_view payload = run.chunk->payload(next + i);
      rd_kafka_message_t& message = batch_[i];
      message = {};
      // Not written to: without RD_KAFKA_MSG_F_FREE and _COPY it is only read.
      message.payload = const_cast<char*>(payload.data());
      message.len = payload.size();
      if (const std::string_view key = run.chunk->key(next + i); !key.empty()) {
        message.key = const_cast<char*>(key.data());
        message.key_len = key.size();
      }
      message._private = to_opaque(run.begin.chunk, next + i);
    }
    const int taken =
        rd_kafka_produce_batch(topic, RD_KAFKA_PARTITION_UA, 0, batch_.data(), static_cast<int>(count));
    outstanding_ += static_cast<std::size_t>(taken);
    for (const rd_kafka_message_t& message : batch_) {
      if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) outstanding_bytes_ += message.len;
    }
    if (taken != static_cast<int>(count)) {
      for (std::uint32_t i = 0; i < count; ++i) {
        if (batch_[i].err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        // A full queue refuses all that follows, too.
        if (batch_[i].err == RD_KAFKA_RESP_ERR__QUEUE_FULL) return next + i;
        refused.push_back(refusal({run.begin.chunk, next + i}, batch_[i].err, run.chunk->payload(next + i),
                                  run.chunk->key(next + i)));
      }
    }
    next += count;
  }
  return end;
}

// rd_kafka_produce_batch() has no headers.
std::uint32_t KafkaProducer::produce_with_headers(rd_kafka_topic_s* topic, const KafkaWindow::Run& run,
                                                  std::uint32_t end, std::vector<KafkaReport>& refused) {
  const auto& headers = run.chunk->shipment().headers;
  for (std::uint32_t i = run.begin.index; i < end; ++i) {
    const std::string_view payload = run.chunk->payload(i);
    const std::string_view key = run.chunk->key(i);
    rd_kafka_vu_t fields[5];
    fields[0].vtype = RD_KAFKA_VTYPE_RKT;
    fields[0].u.rkt = topic;
    fields[1].vtype = RD_KAFKA_VTYPE_VALUE;
    fields[1].u.mem.ptr = const_cast<char*>(payload.data());
    fields[1].u.mem.size = payload.size();
    fields[2].vtype = RD_KAFKA_VTYPE_OPAQUE;
    fields[2].u.ptr = to_opaque(run.begin.chunk, i);
    fields[3].vtype = RD_KAFKA_VTYPE_HEADERS;
    fields[3].u.headers = rd_kafka_headers_new(headers.size());
    for (std::size_t number = 0; number < headers.size(); ++number) {
      const std::string& name = headers[number].first;
      const std::string_view value = run.chunk->header(number, i);
      rd_kafka_header_add(fields[3].u.headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                          static_cast<ssize_t>(value.size()));
    }
    fields[4].vtype = RD_KAFKA_VTYPE_KEY;
    fields[4].u.mem.ptr = const_cast<char*>(key.data());
    fields[4].u.mem.size = key.size();
    const std::size_t count = key.empty() ? 4 : 5;
    if (rd_kafka_error_t* error = rd_kafka_produceva(client_, fields, count)) {
      const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
      rd_kafka_error_destroy(error);
      rd_kafka_headers_destroy(fields[3].u.headers);  // taken only with the message
      if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return i;
      refused.push_back(refusal({run.begin.chunk, i}, code, payload, key));
    } else {
      ++outstanding_;
      outstanding_bytes_ += payload.size();
    }
  }
  return end;
}

void KafkaProducer::purge(bool in_flight) {
  rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING |
                              (in_flight ? RD_KAFKA_PURGE_F_INFLIGHT : 0));
}

void KafkaProducer::flush(Duration wait) {
  rd_kafka_flush(client_,
                 static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(wait).count()));
}

}  // namespace logflume
