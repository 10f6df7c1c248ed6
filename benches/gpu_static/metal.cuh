// What naga's MSL of the kernels uses of Metal, for CUDA.
typedef unsigned int uint;
#define F __device__ __forceinline__

namespace metal {
typedef unsigned int uint;

struct __align__(8) float2 { float x, y; float2() = default; F explicit float2(float s) : x(s), y(s) {} F float2(float x, float y) : x(x), y(y) {} };
struct __align__(8) uint2 { uint x, y; uint2() = default; F explicit uint2(uint s) : x(s), y(s) {} F uint2(uint x, uint y) : x(x), y(y) {} };
struct uint3 { uint x, y, z; uint3() = default; F uint3(uint x, uint y, uint z) : x(x), y(y), z(z) {} };
struct bool2 { bool x, y; };

#define VECTOR4(V, S, A) \
  struct __align__(A) V { \
    S x, y, z, w; \
    V() = default; \
    F explicit V(S s) : x(s), y(s), z(s), w(s) {} \
    F V(S x, S y, S z, S w) : x(x), y(y), z(z), w(w) {} \
    F S& operator[](uint i) { return (&x)[i]; } \
    F S operator[](uint i) const { return (&x)[i]; } \
  };
VECTOR4(float4, float, 16)
VECTOR4(uint4, uint, 16)
VECTOR4(bool4, bool, 4)

#define EACH(R, V, o) F R operator o(V a, V b) { return R(a.x o b.x, a.y o b.y, a.z o b.z, a.w o b.w); }
#define EACH_WITH(V, S, o) \
  EACH(V, V, o) \
  F V operator o(V a, S b) { return a o V(b); } \
  F V operator o(S a, V b) { return V(a) o b; }
EACH_WITH(float4, float, +) EACH_WITH(float4, float, -) EACH_WITH(float4, float, *) EACH_WITH(float4, float, /)
EACH_WITH(uint4, uint, +) EACH_WITH(uint4, uint, *)
EACH(bool4, float4, <) EACH(bool4, float4, <=) EACH(bool4, float4, >) EACH(bool4, float4, >=)
EACH(bool4, uint4, <) EACH(bool4, uint4, <=) EACH(bool4, uint4, >) EACH(bool4, uint4, >=)
EACH(bool4, bool4, &) EACH(bool4, bool4, |)
F float4& operator+=(float4& a, float4 b) { return a = a + b; }
F float4& operator-=(float4& a, float4 b) { return a = a - b; }
F float4& operator*=(float4& a, float4 b) { return a = a * b; }
F float4 operator-(float4 a) { return float4(-a.x, -a.y, -a.z, -a.w); }
F float2 operator*(float a, float2 b) { return float2(a * b.x, a * b.y); }
F float2 operator*(float2 a, float b) { return b * a; }
F float2 operator*(float2 a, float2 b) { return float2(a.x * b.x, a.y * b.y); }
F float2 operator+(float2 a, float2 b) { return float2(a.x + b.x, a.y + b.y); }
F float2 operator-(float2 a, float2 b) { return float2(a.x - b.x, a.y - b.y); }
F uint2 operator+(uint2 a, uint2 b) { return uint2(a.x + b.x, a.y + b.y); }
F uint2& operator-=(uint2& a, uint2 b) { return a = uint2(a.x - b.x, a.y - b.y); }
F bool2 operator==(uint2 a, uint2 b) { return {a.x == b.x, a.y == b.y}; }
F bool all(bool2 a) { return a.x && a.y; }

template <class T> F T select(T a, T b, bool c) { return c ? b : a; }
F float4 select(float4 a, float4 b, bool4 c) {
  return float4(c.x ? b.x : a.x, c.y ? b.y : a.y, c.z ? b.z : a.z, c.w ? b.w : a.w);
}
F float fma(float a, float b, float c) { return fmaf(a, b, c); }
F float4 fma(float4 a, float4 b, float4 c) {
  return float4(fmaf(a.x, b.x, c.x), fmaf(a.y, b.y, c.y), fmaf(a.z, b.z, c.z), fmaf(a.w, b.w, c.w));
}
F float2 fma(float2 a, float2 b, float2 c) { return float2(fmaf(a.x, b.x, c.x), fmaf(a.y, b.y, c.y)); }
F float dot(float2 a, float2 b) { return a.x * b.x + a.y * b.y; }
F float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
F float max(float a, float b) { return fmaxf(a, b); }
F float min(float a, float b) { return fminf(a, b); }
F float4 max(float4 a, float4 b) { return float4(max(a.x, b.x), max(a.y, b.y), max(a.z, b.z), max(a.w, b.w)); }
F uint max(uint a, uint b) { return ::umax(a, b); }
F uint min(uint a, uint b) { return ::umin(a, b); }
F float clamp(float a, float low, float high) { return min(max(a, low), high); }
F float sqrt(float a) { return sqrtf(a); }
F float abs(float a) { return fabsf(a); }
F float log(float a) { return logf(a); }
F uint reverse_bits(uint a) { return __brev(a); }
struct atomic_uint { uint value; };
enum memory_order { memory_order_relaxed };
F uint atomic_fetch_add_explicit(atomic_uint* to, uint more, memory_order) { return atomicAdd(&to->value, more); }
enum class mem_flags { mem_threadgroup, mem_device };
F void threadgroup_barrier(mem_flags) { __syncthreads(); }
}  // namespace metal

template <class T, class U> F T as_type(U value) {
  T out;
  memcpy(&out, &value, sizeof out);
  return out;
}
