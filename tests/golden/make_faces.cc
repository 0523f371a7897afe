/*
 * make_faces.cc - prints what dlib finds in PPM images; make_faces.py and check_long_faces.sh run it.
 *
 *     g++ -O2 -std=c++17 make_faces.cc -ldlib -lblas -llapack -o make_faces     (libdlib-dev 19.24)
 *     ./make_faces PREDICTOR.dat IMAGE.ppm...
 *
 * For each image, without and with one upsampling: "faces UPSAMPLE COUNT", the faces as "left top
 * right bottom score filter", and the points of the first one in the image itself. Seconds of each
 * detection go to stderr.
 */
#include <chrono>
#include <cstdio>
#include <dlib/image_processing.h>
#include <dlib/image_processing/frontal_face_detector.h>
#include <dlib/image_transforms.h>

typedef dlib::array2d<dlib::rgb_pixel> Image;

static bool read(const char *path, Image &image)
{
    FILE *file = std::fopen(path, "rb");
    int width, height;
    if (!file || std::fscanf(file, "P6 %d %d 255", &width, &height) != 2)
        return false;
    std::fgetc(file);
    image.set_size(height, width);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            unsigned char pixel[3];
            if (std::fread(pixel, 1, 3, file) != 3)
                return false;
            image[y][x] = dlib::rgb_pixel(pixel[0], pixel[1], pixel[2]);
        }
    std::fclose(file);
    return true;
}

int main(int count, char **arguments)
{
    auto detector = dlib::get_frontal_face_detector();
    dlib::shape_predictor predictor;
    dlib::deserialize(arguments[1]) >> predictor;
    for (int i = 2; i < count; i++) {
        Image image, large;
        if (!read(arguments[i], image))
            return 1;
        for (int upsample = 0; upsample < 2; upsample++) {
            const auto start = std::chrono::steady_clock::now();
            std::vector<dlib::rect_detection> faces;
            if (upsample) {
                dlib::pyramid_down<2> pyramid;
                dlib::pyramid_up(image, large, pyramid);
                detector(large, faces, 0);
                for (auto &face : faces)
                    face.rect = pyramid.rect_down(face.rect);
            } else {
                detector(image, faces, 0);
            }
            const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
            std::fprintf(stderr, "%s %d %.4f\n", arguments[i], upsample, seconds.count());
            std::printf("faces %d %d\n", upsample, (int)faces.size());
            for (auto &face : faces)
                std::printf("%ld %ld %ld %ld %.6g %lu\n", face.rect.left(), face.rect.top(),
                            face.rect.right(), face.rect.bottom(), face.detection_confidence,
                            face.weight_index);
            if (faces.empty())
                continue;
            const auto shape = predictor(image, faces[0].rect);
            std::printf("points");
            for (unsigned long k = 0; k < shape.num_parts(); k++)
                std::printf(" %ld %ld", shape.part(k).x(), shape.part(k).y());
            std::printf("\n");
        }
    }
}
