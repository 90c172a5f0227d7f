"""SAM 2.1, ViTMatte, Depth Anything and MiDaS as small as they go, with weights that have learned nothing, saved as their authors save them."""

from pathlib import Path

import torch

SIDE = 64  # px


def sam2(folder: Path) -> Path:
    from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig

    wide = {"hidden_size": 128}
    back = Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, image_size=[SIDE, SIDE], blocks_per_stage=[1, 1, 2, 1], embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 1, 1], window_size_per_stage=[4, 4, 4, 4], global_attention_blocks=[3],
    )
    vision = Sam2VisionConfig(
        backbone_config=back, backbone_channel_list=[64, 32, 16, 8], backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]], fpn_hidden_size=128,
    )
    config = Sam2VideoConfig(
        vision_config=vision, prompt_encoder_config={**wide, "image_size": SIDE, "mask_input_channels": 4}, image_size=SIDE,
        mask_decoder_config={**wide, "mlp_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
        memory_attention_hidden_size=128, memory_attention_num_layers=1, memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[4, 4], memory_encoder_hidden_size=128, memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128, memory_fuser_num_layers=1, memory_fuser_embed_dim=128, memory_fuser_intermediate_dim=32,
    )
    return _saved(Sam2VideoModel(config), folder, {"mask_decoder.pred_obj_score_head.proj_out.bias": 100.0})  # the thing is always there


def vitmatte(folder: Path) -> Path:
    from transformers import VitDetConfig, VitMatteConfig, VitMatteForImageMatting

    back = VitDetConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE, pretrain_image_size=SIDE, patch_size=16, num_channels=4,
        out_features=["stage2"], window_size=2, window_block_indices=[0], residual_block_indices=[],
    )
    config = VitMatteConfig(backbone_config=back, hidden_size=16, convstream_hidden_sizes=[4, 8, 8], fusion_hidden_sizes=[16, 8, 8, 4])
    return _saved(VitMatteForImageMatting(config), folder, {"decoder.matting_head.matting_convs.3.bias": 1.0}, 0.4)


def depth_anything(folder: Path, **more: object) -> Path:
    """A random network of a few thousand weights, saved as its authors would."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=12, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14, out_features=["stage1", "stage2"],
        reshape_hidden_states=False, apply_layernorm=True,
    )
    net = DepthAnythingForDepthEstimation(DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=12, patch_size=14, neck_hidden_sizes=[8, 8], reassemble_factors=[2, 1],
        fusion_hidden_size=8, head_hidden_size=4, **more,
    ))
    net.save_pretrained(folder)
    return folder


def midas(folder: Path) -> Path:
    from transformers import DPTConfig, DPTForDepthEstimation

    net = DPTForDepthEstimation(DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16, backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, is_hybrid=False,
    ))
    net.save_pretrained(folder)
    return folder


def _saved(net: torch.nn.Module, folder: Path, fixed: dict[str, float] | None = None, strength: float = 0.1) -> Path:
    torch.manual_seed(1)
    with torch.no_grad():
        for value in net.parameters():  # so that what it sees makes a difference
            value.add_(strength * torch.randn_like(value))
        for name, constant in (fixed or {}).items():
            net.get_parameter(name).fill_(constant)
    net.save_pretrained(folder)
    return folder
