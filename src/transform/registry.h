// The types of transforms, by the names of the configuration.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/describe.h"
#include "transform/transform.h"

namespace logflume {

// What every transform can be told.
struct TransformConfig {
  std::vector<std::string> inputs;  // sources, transforms, or outputs of these: "split.err"
  bool operator==(const TransformConfig&) const = default;
};

// A transform's configuration, of any type. A value.
//
// A type is a struct that derives from TransformConfig, can be compared, and has
//   TransformBuilt build(const FieldSchema& in) const;
class AnyTransformConfig {
 public:
  AnyTransformConfig() = default;
  AnyTransformConfig(const AnyTransformConfig& other)
      : index_(other.index_), held_(other.held_ ? other.held_->copy() : nullptr) {}
  AnyTransformConfig(AnyTransformConfig&&) = default;
  AnyTransformConfig& operator=(AnyTransformConfig other) {
    index_ = other.index_;
    held_ = std::move(other.held_);
    return *this;
  }
  template <typename Struct>
  static AnyTransformConfig of(Struct config) {
    AnyTransformConfig any;
    any.held_ = std::make_unique<HeldAs<Struct>>(std::move(config));
    return any;
  }

  const std::vector<std::string>& inputs() const { return held_->common().inputs; }
  void set_inputs(std::vector<std::string> inputs) { held_->common().inputs = std::move(inputs); }
  // `in`: what is known of its inputs' fields.
  TransformBuilt build(const FieldSchema& in) const { return held_->build(in); }
  // Of its type in transform_types().
  std::size_t index() const { return index_; }
  void set_index(std::size_t index) { index_ = index; }
  void* inner() { return held_->inner(); }
  bool operator==(const AnyTransformConfig& other) const {
    return index_ == other.index_ && held_->equals(*other.held_);
  }

 private:
  struct Held {
    virtual ~Held() = default;
    virtual std::unique_ptr<Held> copy() const = 0;
    virtual bool equals(const Held& other) const = 0;  // REQUIRES: of the same type
    virtual TransformConfig& common() = 0;
    virtual TransformBuilt build(const FieldSchema& in) const = 0;
    virtual void* inner() = 0;
  };
  template <typename Struct>
  struct HeldAs final : Held {
    explicit HeldAs(Struct made) : config(std::move(made)) {}
    std::unique_ptr<Held> copy() const override { return std::make_unique<HeldAs>(config); }
    bool equals(const Held& other) const override {
      return config == static_cast<const HeldAs&>(other).config;
    }
    TransformConfig& common() override { return config; }
    TransformBuilt build(const FieldSchema& in) const override { return config.build(in); }
    void* inner() override { return &config; }
    Struct config;
  };

  std::size_t index_ = 0;
  std::unique_ptr<Held> held_;
};

using TransformType = ComponentType<AnyTransformConfig>;
const std::vector<TransformType>& transform_types();
// "parse_json"
const std::string& type_name(const AnyTransformConfig& config);

// A check of a text.
inline std::string must_not_be_empty(const std::string& text) {
  return text.empty() ? std::string("is empty") : std::string();
}

template <typename Struct>
ObjectDescription with_inputs(Describe<Struct> description) {
  description
      .field("inputs", &Struct::inputs,
             "The sources and transforms whose events it takes; an output of a transform as `NAME.OUTPUT`.")
      .required()
      .must(must_not_be_empty, "the name of a source or transform")
      .example_is("[app]");
  return std::move(description).done();
}

// For the file of each transform: its type.
template <typename Struct>
TransformType transform_type(std::string name, Describe<Struct> description) {
  return {std::move(name), with_inputs(std::move(description)),
          [] { return AnyTransformConfig::of(Struct{}); },
          [](AnyTransformConfig& any) { return any.inner(); }};
}

}  // namespace logflume
