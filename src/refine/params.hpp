#pragma once
/// Settings of the training that follows the encoding. The YAML keys have the names of the fields.

#include <optional>

#include "quant/params.hpp"

namespace btc {

/// Key `refine`.
struct RefineParams {
  int block_epochs = 0;               ///< passes over the calibration sequences per block; 0: none
  double block_learning_rate = 0.01;  ///< first step as a share of each value; cosine to zero
  /// The same for latent weights, in units of a Linear's mean magnitude; 0: signs stay as encoded
  double block_sign_learning_rate = 0;
  int dense_epochs = 0;                ///< passes before each Linear is encoded; 0: none
  double dense_learning_rate = 0.002;  ///< first step in units of each Linear's root mean square
  int kd_epochs = 0;                   ///< passes of the whole model after that; 0: none
  double kd_learning_rate = 0.01;      ///< as above
  /// The same for latent weights, in units of a Linear's mean magnitude; 0: signs stay as encoded
  double kd_sign_learning_rate = 0;
  int batch = 4;  ///< sequences per step of either
};

/// Whether anything is trained after the encoding.
inline bool trains(const RefineParams& params) {
  return params.block_epochs > 0 || params.kd_epochs > 0;
}

/// Checks the settings against each other. @throws ConfigError naming the key and what is allowed
void check_params(const RefineParams& refine, const BinarizeParams& binarize,
                  const std::optional<CodebookParams>& codebook);

}  // namespace btc
