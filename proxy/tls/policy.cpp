#include "proxy/tls/policy.hpp"

#include <openssl/ssl.h>

namespace tls {

namespace {
/// Mozilla's intermediate profile (guideline 5.7), without its finite-field Diffie-Hellman: a client can make a server
/// compute that at little cost to itself (CVE-2002-20001), and every client of the profile has elliptic curves.
constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kCiphers13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kGroups = "X25519:prime256v1:secp384r1";
/// Longest chain of certificates that a peer may send, in bytes. Common ones have 4 KiB.
constexpr long kPeerChainMax = 32 * 1024;
}  // namespace

bool apply_policy(SSL_CTX* context, int min_version) {
  // Idle connections hold no buffers. A write reports what has gone out, and may go on from memory that has moved.
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  // The order above decides, except for clients that like ChaCha20 best: they have no AES in hardware.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_read_ahead(context, 1);  // a record costs one system call, not one for its head and one for the rest
  SSL_CTX_set_max_cert_list(context, kPeerChainMax);
  return SSL_CTX_set_min_proto_version(context, min_version) == 1 &&
         SSL_CTX_set_cipher_list(context, kCiphers12) == 1 && SSL_CTX_set_ciphersuites(context, kCiphers13) == 1 &&
         SSL_CTX_set1_groups_list(context, kGroups) == 1;
}

}  // namespace tls
