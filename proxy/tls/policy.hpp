#pragma once

#include <openssl/types.h>

namespace tls {

/// What holds for both sides: versions, ciphers, groups, and how OpenSSL is used. False: this OpenSSL cannot.
bool apply_policy(SSL_CTX* context, int min_version);

}  // namespace tls
